"""Stages that read published outlines and lists: regions of permanent shadow, experts' sites, candidate regions."""
