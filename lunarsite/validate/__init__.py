"""Validation: what a run's results are worth, measured against references and against chance.

Everything here reads artefacts and small tables of facts and writes records of metrics and verdicts. It must not know
how scores were made, and it never changes them.
"""
