"""What the rules ask for: files by name, the settings that a stage reads, the fingerprint of its code.

A rule names its files as the stage's parameters are named. Settings and code are params, so that a changed setting or
changed code reruns what depends on it and nothing else. All are functions: only jobs of this run ask, and braces in
the JSON are not taken for wildcards.
"""

import functools
import math

import lunarsite.stage
from lunarsite.source.folders import state_of

# A folder of the user's is a setting: its content counts through names, sizes and times, looked at once.
_folder_state = functools.cache(state_of)
# Stages are declared in many files, which every job would read again.
_stage = functools.cache(lunarsite.stage.get)

# Millions of pixels of the near and the far field: what memory and time grow with.
NEAR_MPX = (2.0 * SETTINGS.grid.half_width_m / SETTINGS.grid.pixel_m) ** 2 / 1e6
FAR_MPX = (2.0 * SETTINGS.grid.far_half_width_m / SETTINGS.grid.far_pixel_m) ** 2 / 1e6


def memory(base_mb, near=0.0, far=0.0):
    """Megabytes of a job that holds so many bytes of each pixel; stages that go by blocks hold the base alone."""
    return math.ceil(base_mb + near * NEAR_MPX + far * FAR_MPX)


def minutes(base, near=0.0, far=0.0, shards=1):
    """Longest time of a job that takes so many seconds for a million pixels, a few times what was measured."""
    return math.ceil(base + (near * NEAR_MPX + far * FAR_MPX) / shards / 60.0)


def settings_of(stage):
    """The JSON of the settings sections that a stage reads."""
    return lambda wildcards: _stage(stage).settings_json(SETTINGS)


def code_of(stage):
    """The fingerprint of a stage's code."""
    return lambda wildcards: _stage(stage).code()


def folder_state(*folders):
    """What makes a job of a user's folders run anew: a digest of names, sizes and times of the files below them."""
    return lambda wildcards: _folder_state(*folders)


def shipped(file, room):
    """A room's model that comes with lunarsite, as an input function: only the jobs that read it miss it."""

    def path(wildcards):
        if not os.path.exists(file):
            raise WorkflowError(
                f"{file} is not there, which comes with lunarsite; restore it (git checkout), train one"
                f" ({room}.model: train) or do without ({room}.enabled: false)"
            )
        return file

    return path


def inputs(wildcards, input):
    """'name=path' of the job's inputs; one that this run has not is an empty list and is left out."""
    return _named(input)


def inputs_if_any(wildcards, input):
    """The option and the inputs of a stage that may read a user's folder instead, which is a setting."""
    return ["--in", *inputs(wildcards, input)] if input else []


def outputs(wildcards, output):
    """'name=path' of the job's outputs; one that this run has not is an empty list and is left out."""
    return _named(output)


def _named(files):
    listed = {name: [value] if isinstance(value, str) else value for name, value in files.items()}
    return [f"{name}={path}" for name, paths in listed.items() for path in paths]
