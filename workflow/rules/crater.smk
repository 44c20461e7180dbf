"""Craters: a network finds them on the whole map; it comes with lunarsite, or is trained on the run's own map first."""

CRATER = SETTINGS.crater
TRAINED = CRATER.enabled and CRATER.model == "train"
PRETRAINED = f"{RESOURCES}/models/crater"
# What follows asks for these; an empty list where the run has none.
DETECTED = f"{RESULTS}/crater/craters.parquet" if CRATER.enabled else []
PROBABILITY = f"{RESULTS}/crater/probability.tif" if CRATER.enabled else []
# The same without fine-tuning on polar ground, and without learning: what the network is measured against.
RIVALS = CRATER.enabled and CRATERS and SETTINGS.validation.crater.baselines
if TRAINED:
    CRATER_MODEL = f"{RESULTS}/crater/model.safetensors"
    BASE_MODEL = f"{RESULTS}/crater/base.safetensors" if CRATER.pretraining_tiles.images else []
else:
    CRATER_MODEL = str(CRATER.model_file or f"{PRETRAINED}/polar.safetensors")
    BASE_MODEL = [] if CRATER.model_file else f"{PRETRAINED}/base.safetensors"
BASE = f"{RESULTS}/crater/base.parquet" if RIVALS and BASE_MODEL else []
CLASSICAL = f"{RESULTS}/crater/classical.parquet" if RIVALS else []


if TRAINED and CRATER.pretraining_tiles.images:

    rule source_deepmoon:
        input:
            images_file=str(CRATER.pretraining_tiles.images),
            craters_file=str(CRATER.pretraining_tiles.craters or "") or [],
        output:
            tiles=f"{RESULTS}/crater/pretraining_tiles.h5",
        log:
            f"{RESULTS}/log/source-deepmoon.log",
        benchmark:
            f"{RESULTS}/benchmark/source-deepmoon.tsv"
        conda:
            "../../envs/terrain.yaml"
        resources:
            mem_mb=2000,
            runtime=30,
        params:
            run=RUN,
            settings=settings_of("source-deepmoon"),
            code=code_of("source-deepmoon"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite source-deepmoon --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"

    rule crater_pretrain:
        input:
            tiles=f"{RESULTS}/crater/pretraining_tiles.h5",
        output:
            weights=f"{RESULTS}/crater/base_weights.safetensors",
            record=f"{RESULTS}/crater/pretraining.json",
        log:
            f"{RESULTS}/log/crater-pretrain.log",
        benchmark:
            f"{RESULTS}/benchmark/crater-pretrain.tsv"
        conda:
            "../../envs/vision.yaml"
        threads: 8
        resources:
            mem_mb=4000,
            runtime=1440,
            gpu=1,
        params:
            run=RUN,
            settings=settings_of("crater-pretrain"),
            code=code_of("crater-pretrain"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite crater-pretrain --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"

    rule crater_calibrate_base:
        input:
            weights=f"{RESULTS}/crater/base_weights.safetensors",
            dem=f"{RESULTS}/terrain/dem.tif",
            craters=CRATERS,
        output:
            model=f"{RESULTS}/crater/base.safetensors",
        log:
            f"{RESULTS}/log/crater-calibrate-base.log",
        benchmark:
            f"{RESULTS}/benchmark/crater-calibrate-base.tsv"
        conda:
            "../../envs/vision.yaml"
        threads: 8
        resources:
            mem_mb=3000,
            runtime=60,
        params:
            run=RUN,
            settings=settings_of("crater-calibrate"),
            code=code_of("crater-calibrate"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite crater-calibrate --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


if TRAINED:

    rule crater_tiles:
        input:
            dem=f"{RESULTS}/terrain/dem.tif",
            craters=CRATERS,
        output:
            tiles=f"{RESULTS}/crater/tiles.h5",
        log:
            f"{RESULTS}/log/crater-tiles.log",
        benchmark:
            f"{RESULTS}/benchmark/crater-tiles.tsv"
        conda:
            "../../envs/vision.yaml"
        resources:
            mem_mb=2000,
            runtime=30,
        params:
            run=RUN,
            settings=settings_of("crater-tiles"),
            code=code_of("crater-tiles"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite crater-tiles --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"

    rule crater_finetune:
        input:
            tiles=f"{RESULTS}/crater/tiles.h5",
            pretraining_tiles=f"{RESULTS}/crater/pretraining_tiles.h5" if BASE_MODEL else [],
            initial=f"{RESULTS}/crater/base_weights.safetensors" if BASE_MODEL else [],
        output:
            weights=f"{RESULTS}/crater/weights.safetensors",
            record=f"{RESULTS}/crater/training.json",
        log:
            f"{RESULTS}/log/crater-finetune.log",
        benchmark:
            f"{RESULTS}/benchmark/crater-finetune.tsv"
        conda:
            "../../envs/vision.yaml"
        threads: 8
        resources:
            mem_mb=4000,
            runtime=1440,
            gpu=1,
        params:
            run=RUN,
            settings=settings_of("crater-finetune"),
            code=code_of("crater-finetune"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite crater-finetune --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"

    rule crater_calibrate:
        input:
            weights=f"{RESULTS}/crater/weights.safetensors",
            dem=f"{RESULTS}/terrain/dem.tif",
            craters=CRATERS,
        output:
            model=f"{RESULTS}/crater/model.safetensors",
        log:
            f"{RESULTS}/log/crater-calibrate.log",
        benchmark:
            f"{RESULTS}/benchmark/crater-calibrate.tsv"
        conda:
            "../../envs/vision.yaml"
        threads: 8
        resources:
            mem_mb=3000,
            runtime=60,
        params:
            run=RUN,
            settings=settings_of("crater-calibrate"),
            code=code_of("crater-calibrate"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite crater-calibrate --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


if CRATER.enabled:

    rule crater_infer:
        input:
            dem=f"{RESULTS}/terrain/dem.tif",
            model=CRATER_MODEL,
        output:
            partial=temp(f"{RESULTS}/crater/levels_{{shard}}.h5"),
        log:
            f"{RESULTS}/log/crater-infer_{{shard}}.log",
        benchmark:
            f"{RESULTS}/benchmark/crater-infer_{{shard}}.tsv"
        conda:
            "../../envs/vision.yaml"
        threads: 8
        resources:
            mem_mb=3000,
            runtime=minutes(120, near=2.0),
        params:
            run=RUN,
            settings=settings_of("crater-infer"),
            code=code_of("crater-infer"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite crater-infer --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --shard {wildcards.shard} --log {log}"

    rule crater_extract:
        input:
            dem=f"{RESULTS}/terrain/dem.tif",
            model=CRATER_MODEL,
            partials=expand(
                f"{RESULTS}/crater/levels_{{shard}}.h5",
                shard=range(CRATER.inference.shards),
            ),
        output:
            craters=f"{RESULTS}/crater/craters.parquet",
            probability=f"{RESULTS}/crater/probability.tif",
        log:
            f"{RESULTS}/log/crater-extract.log",
        benchmark:
            f"{RESULTS}/benchmark/crater-extract.tsv"
        conda:
            "../../envs/vision.yaml"
        resources:
            mem_mb=3000,
            runtime=minutes(30, near=4.0),
        params:
            run=RUN,
            settings=settings_of("crater-extract"),
            code=code_of("crater-extract"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite crater-extract --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


if BASE:

    rule crater_infer_base:
        input:
            dem=f"{RESULTS}/terrain/dem.tif",
            model=BASE_MODEL,
        output:
            partial=temp(f"{RESULTS}/crater/base_levels_{{shard}}.h5"),
        log:
            f"{RESULTS}/log/crater-infer-base_{{shard}}.log",
        benchmark:
            f"{RESULTS}/benchmark/crater-infer-base_{{shard}}.tsv"
        conda:
            "../../envs/vision.yaml"
        threads: 8
        resources:
            mem_mb=3000,
            runtime=minutes(120, near=2.0),
        params:
            run=RUN,
            settings=settings_of("crater-infer"),
            code=code_of("crater-infer"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite crater-infer --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --shard {wildcards.shard} --log {log}"

    rule crater_extract_base:
        input:
            dem=f"{RESULTS}/terrain/dem.tif",
            model=BASE_MODEL,
            partials=expand(
                f"{RESULTS}/crater/base_levels_{{shard}}.h5",
                shard=range(CRATER.inference.shards),
            ),
        output:
            craters=f"{RESULTS}/crater/base.parquet",
        log:
            f"{RESULTS}/log/crater-extract-base.log",
        benchmark:
            f"{RESULTS}/benchmark/crater-extract-base.tsv"
        conda:
            "../../envs/vision.yaml"
        resources:
            mem_mb=3000,
            runtime=minutes(30, near=4.0),
        params:
            run=RUN,
            settings=settings_of("crater-extract"),
            code=code_of("crater-extract"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite crater-extract --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


if CLASSICAL:

    rule crater_classical:
        input:
            dem=f"{RESULTS}/terrain/dem.tif",
            craters=CRATERS,
        output:
            classical=CLASSICAL,
        log:
            f"{RESULTS}/log/crater-classical.log",
        benchmark:
            f"{RESULTS}/benchmark/crater-classical.tsv"
        conda:
            "../../envs/vision.yaml"
        resources:
            mem_mb=memory(1000, near=190),
            runtime=minutes(30, near=30.0),
        params:
            run=RUN,
            settings=settings_of("crater-classical"),
            code=code_of("crater-classical"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite crater-classical --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"
