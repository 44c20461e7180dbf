"""Craters: from an elevation model to tiles, from tiles to a network, from its answer to a catalogue.

This room reads elevation and a given catalogue. It knows nothing of light and sites, nor where either came from.
"""
