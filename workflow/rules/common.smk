"""What the rules ask for: files by name, the settings that a stage reads, the fingerprint of its code.

A rule names its files as the stage's parameters are named. Settings and code are params, so that a changed setting or
changed code reruns what depends on it and nothing else. All are functions: only jobs of this run ask, and braces in
the JSON are not taken for wildcards.
"""

import lunarsite.stage


def settings_of(stage):
    """The JSON of the settings sections that a stage reads."""
    return lambda wildcards: lunarsite.stage.get(stage).settings_json(SETTINGS)


def code_of(stage):
    """The fingerprint of a stage's code."""
    return lambda wildcards: lunarsite.stage.get(stage).code()


def inputs(wildcards, input):
    """'name=path' of the job's inputs; one that this run has not is an empty list and is left out."""
    return _named(input)


def outputs(wildcards, output):
    """'name=path' of the job's outputs; one that this run has not is an empty list and is left out."""
    return _named(output)


def _named(files):
    listed = {name: [value] if isinstance(value, str) else value for name, value in files.items()}
    return [f"{name}={path}" for name, paths in listed.items() for path in paths]
