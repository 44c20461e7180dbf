"""The pipeline: plain `snakemake --cores all` makes the default run, an overlay (--configfile) any other.

This file and the rules know paths, resources and environments; the package's stages know the rest.
"""

import os
import shlex
import sys

from snakemake.utils import min_version

min_version("9.10")
# The package beside this file runs; jobs use snakemake's own Python unless --use-conda puts another before it.
sys.path.insert(0, workflow.basedir)
os.environ.update(PATH=os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", os.defpath))

import lunarsite.settings


configfile: f"{workflow.basedir}/config.yaml"


SETTINGS = lunarsite.settings.parse(config)
RUN = SETTINGS.run
RESULTS = f"results/{RUN}"
RESOURCES = os.path.relpath(f"{workflow.basedir}/resources")

# --use-conda drops PYTHONPATH; numba must be told of a job's threads; waiting threads must sleep, not spin.
shell.executable("bash")
shell.prefix(
    f"set -euo pipefail; export PYTHONPATH={shlex.quote(workflow.basedir)} NUMBA_NUM_THREADS=$OMP_NUM_THREADS"
    " OMP_WAIT_POLICY=PASSIVE; "
)


wildcard_constraints:
    shard=r"\d+",
    height=r"(_[\d.]+m)?",


include: "workflow/rules/common.smk"
include: "workflow/rules/source.smk"
include: "workflow/rules/terrain.smk"
include: "workflow/rules/illumination.smk"
include: "workflow/rules/vision.smk"
include: "workflow/rules/site.smk"
include: "workflow/rules/validate.smk"
include: "workflow/rules/publish.smk"


rule all:
    default_target: True
    input:
        # All that the catalogue lists: what an interrupted job took away is made again, though its followers are there.
        rules.publish_catalogue.input,
        rules.publish_catalogue.output,
        [f"{RESULTS}/illumination/sun_mean{height}.tif" for height in HEIGHTS],
        rules.publish_places.output if PLACES else [],
