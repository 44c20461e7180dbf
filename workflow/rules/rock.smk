"""Rocks in images from the ground: rendered scenes with their truth, and the user's dataset where the run names one."""

ROCK = SETTINGS.rock
ROCK_TRAINED = ROCK.enabled and ROCK.model == "train"
ROCK_FOLDER = f"{RESULTS}/rock"
# What follows asks for these; an empty list where the run has none.
ROCK_RENDERS = f"{ROCK_FOLDER}/renders.h5" if ROCK.enabled else []
ROCK_TRUTH = f"{ROCK_FOLDER}/truth.parquet" if ROCK.enabled else []
ROCK_IMAGES = ROCK_SCENES if ROCK.enabled and SETTINGS.source.rock_images.folder else []
# The scenes that are segmented by name; a network is measured on all of them.
ROCK_SETS = {name: scenes for name, scenes in (("images", ROCK_IMAGES), ("renders", ROCK_RENDERS)) if scenes}
# It learns from the user's dataset if there is one: lunarsite's own renders tell small rocks from large ones otherwise.
ROCK_TAUGHT = [ROCK_IMAGES or ROCK_RENDERS]
# Where these do not teach, the network must not call them strange: it is used on them.
ROCK_FAMILIAR = [ROCK_RENDERS] if ROCK_IMAGES else []
# Its trainings are its own: whichever model the run uses.
ROCK_ABLATED = ROCK.enabled and ROCK.ablate
ROCK_ABLATION = f"{ROCK_FOLDER}/ablation.json" if ROCK_ABLATED else []
# Each worker is two processes, for training and for validation, that keep pictures of their own.
ROCK_LEARNING_MB = 3000 + 1600 * ROCK.learning.training.workers
ROCK_TRAINING = f"{ROCK_FOLDER}/training.json" if ROCK_TRAINED else []
if ROCK_TRAINED:
    ROCK_MODEL = f"{ROCK_FOLDER}/model.safetensors"
else:
    ROCK_MODEL = shipped(f"{RESOURCES}/models/rock/rock.safetensors", "rock") if ROCK.enabled else []


if ROCK.enabled:

    rule rock_render:
        output:
            scenes=ROCK_RENDERS,
            truth=ROCK_TRUTH,
        log:
            f"{RESULTS}/log/rock-render.log",
        benchmark:
            f"{RESULTS}/benchmark/rock-render.tsv"
        conda:
            "../../envs/illumination.yaml"
        threads: 8
        resources:
            mem_mb=2000,
            runtime=20 + ROCK.render.scenes // 10,
        params:
            run=RUN,
            settings=settings_of("rock-render"),
            code=code_of("rock-render"),
            outputs=outputs,
        shell:
            "python -m lunarsite rock-render --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"

    rule rock_infer:
        input:
            scenes=lambda wildcards: ROCK_SETS[wildcards.set],
            model=ROCK_MODEL,
        output:
            maps=f"{ROCK_FOLDER}/{{set}}_maps.h5",
        log:
            f"{RESULTS}/log/rock-infer_{{set}}.log",
        benchmark:
            f"{RESULTS}/benchmark/rock-infer_{{set}}.tsv"
        wildcard_constraints:
            set="|".join(ROCK_SETS),
        conda:
            "../../envs/vision.yaml"
        threads: 8
        resources:
            mem_mb=3000,
            runtime=120,
        params:
            run=RUN,
            settings=settings_of("rock-infer"),
            code=code_of("rock-infer"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite rock-infer --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"

    rule rock_hazard:
        input:
            maps=f"{ROCK_FOLDER}/{{set}}_maps.h5",
        output:
            hazard_maps=f"{ROCK_FOLDER}/{{set}}_hazard.h5",
            sizes=f"{ROCK_FOLDER}/{{set}}_sizes.parquet",
            distribution=f"{ROCK_FOLDER}/{{set}}_distribution.parquet",
        log:
            f"{RESULTS}/log/rock-hazard_{{set}}.log",
        benchmark:
            f"{RESULTS}/benchmark/rock-hazard_{{set}}.tsv"
        wildcard_constraints:
            set="|".join(ROCK_SETS),
        conda:
            "../../envs/vision.yaml"
        resources:
            mem_mb=2000,
            runtime=60,
        params:
            run=RUN,
            settings=settings_of("rock-hazard"),
            code=code_of("rock-hazard"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite rock-hazard --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


if ROCK_TRAINED:

    rule rock_train:
        input:
            scenes=ROCK_TAUGHT,
            familiar=ROCK_FAMILIAR,
        output:
            model=ROCK_MODEL,
            record=ROCK_TRAINING,
            pictures=f"{RESULTS}/rock/changes.png",
        log:
            f"{RESULTS}/log/rock-train.log",
        benchmark:
            f"{RESULTS}/benchmark/rock-train.tsv"
        conda:
            "../../envs/vision.yaml"
        threads: 8
        resources:
            mem_mb=ROCK_LEARNING_MB,
            runtime=2880,
            gpu=1,
        params:
            run=RUN,
            settings=settings_of("rock-train"),
            code=code_of("rock-train"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite rock-train --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


if ROCK_ABLATED:

    rule rock_ablate:
        input:
            scenes=list(ROCK_SETS.values()),
        output:
            record=ROCK_ABLATION,
        log:
            f"{RESULTS}/log/rock-ablate.log",
        benchmark:
            f"{RESULTS}/benchmark/rock-ablate.tsv"
        conda:
            "../../envs/vision.yaml"
        threads: 8
        resources:
            mem_mb=ROCK_LEARNING_MB,
            runtime=2880,
            gpu=1,
        params:
            run=RUN,
            settings=settings_of("rock-ablate"),
            code=code_of("rock-ablate"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite rock-ablate --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"
