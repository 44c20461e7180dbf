"""Seeing into shadow: networks that come with lunarsite, or are trained on the run's own scenes, enhance frames."""

ENHANCE_TRAINED = ENHANCE.enabled and ENHANCE.model == "train"
ENHANCERS = f"{RESULTS}/enhance" if ENHANCE_TRAINED else f"{RESOURCES}/models/enhance"
ENHANCED = f"{RESULTS}/enhance/frames.h5" if FRAMES and ENHANCE.enabled else []
# What follows asks for these; an empty list where the run does not enhance.
DENOISER, CYCLE = (
    (
        (
            f"{ENHANCERS}/{kind}.safetensors"
            if ENHANCE_TRAINED
            else shipped(f"{ENHANCERS}/{kind}.safetensors", "enhance")
        )
        if ENHANCE.enabled
        else []
    )
    for kind in ("denoiser", "cycle")
)


if ENHANCE_TRAINED:

    rule enhance_train:
        input:
            scenes=LIT_SCENES,
        output:
            model=f"{ENHANCERS}/denoiser.safetensors",
            record=f"{ENHANCERS}/denoiser.json",
        log:
            f"{RESULTS}/log/enhance-train.log",
        benchmark:
            f"{RESULTS}/benchmark/enhance-train.tsv"
        conda:
            "../../envs/vision.yaml"
        threads: 8
        resources:
            mem_mb=4000,
            runtime=1440,
            gpu=1,
        params:
            run=RUN,
            settings=settings_of("enhance-train"),
            code=code_of("enhance-train"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite enhance-train --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"

    rule enhance_cycle:
        input:
            scenes=LIT_SCENES,
            # Unpaired images teach if there are both kinds.
            images=PSR_IMAGES if SETTINGS.source.psr_images.shadowed else [],
        output:
            model=f"{ENHANCERS}/cycle.safetensors",
            record=f"{ENHANCERS}/cycle.json",
            pictures=f"{ENHANCERS}/cycle.png",
        log:
            f"{RESULTS}/log/enhance-cycle.log",
        benchmark:
            f"{RESULTS}/benchmark/enhance-cycle.tsv"
        conda:
            "../../envs/vision.yaml"
        threads: 8
        resources:
            mem_mb=4000,
            runtime=1440,
            gpu=1,
        params:
            run=RUN,
            settings=settings_of("enhance-cycle"),
            code=code_of("enhance-cycle"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite enhance-cycle --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


if ENHANCED:

    rule enhance_frames:
        input:
            frames=FRAMES,
            # The one that enhances: the other has no say in the result.
            denoiser=DENOISER if ENHANCE.enhancement.method == "denoiser" else [],
            cycle=CYCLE if ENHANCE.enhancement.method == "cycle" else [],
        output:
            enhanced=ENHANCED,
        log:
            f"{RESULTS}/log/enhance-frames.log",
        benchmark:
            f"{RESULTS}/benchmark/enhance-frames.tsv"
        conda:
            "../../envs/vision.yaml"
        threads: 8
        resources:
            mem_mb=3000,
            runtime=120,
        params:
            run=RUN,
            settings=settings_of("enhance-frames"),
            code=code_of("enhance-frames"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite enhance-frames --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"
