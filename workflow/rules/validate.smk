"""Verdicts against references and chance."""


rule validate_artemis:
    input:
        scores=f"{RESULTS}/site/scores.parquet",
        cells=f"{RESULTS}/site/cells.parquet",
        labels=f"{RESULTS}/site/labels.parquet",
        sites=f"{RESULTS}/site/sites.parquet",
        regions=f"{RESOURCES}/artemis_regions.csv",
    output:
        artemis=f"{RESULTS}/validate/artemis.json",
    log:
        f"{RESULTS}/log/validate-artemis.log",
    benchmark:
        f"{RESULTS}/benchmark/validate-artemis.tsv"
    conda:
        "../../envs/site.yaml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        run=RUN,
        settings=settings_of("validate-artemis"),
        code=code_of("validate-artemis"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite validate-artemis --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"


rule validate_site:
    input:
        sites=f"{RESULTS}/site/sites.parquet",
        region_sites=f"{RESULTS}/site/region_sites.parquet",
        cells=f"{RESULTS}/site/cells.parquet",
        labels=f"{RESULTS}/site/labels.parquet",
        truth=f"{RESULTS}/source/record.json" if KIND == "synthetic" else [],
        experts=str(SETTINGS.validation.site.experts or "") or EXPERTS,
        rivals=str(SETTINGS.validation.site.rivals or "") or [],
        regions=f"{RESOURCES}/artemis_regions.csv",
    output:
        site=f"{RESULTS}/validate/site.json",
    log:
        f"{RESULTS}/log/validate-site.log",
    benchmark:
        f"{RESULTS}/benchmark/validate-site.tsv"
    conda:
        "../../envs/site.yaml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        run=RUN,
        settings=settings_of("validate-site"),
        code=code_of("validate-site"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite validate-site --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"


REFERENCE = SETTINGS.validation.illumination


rule validate_illumination:
    input:
        sun_mean=f"{RESULTS}/illumination/sun_mean.tif",
        sun_any=f"{RESULTS}/illumination/sun_any.tif",
        earth_mean=f"{RESULTS}/illumination/earth_mean.tif",
        earth_any=f"{RESULTS}/illumination/earth_any.tif",
        psr=f"{RESULTS}/illumination/psr.tif",
        table=str(REFERENCE.table or "") or [],
        polygons=str(REFERENCE.psr_polygons or "") or PSR_POLYGONS,
        # A user's own table stands in for the published maps.
        sun_reference=[] if REFERENCE.table else SUN_REFERENCE,
        earth_reference=[] if REFERENCE.table else EARTH_REFERENCE,
        psr_reference=[] if REFERENCE.table else PSR_REFERENCE,
    output:
        record=f"{RESULTS}/validate/illumination.json",
        cells=f"{RESULTS}/validate/illumination_cells.parquet",
    log:
        f"{RESULTS}/log/validate-illumination.log",
    benchmark:
        f"{RESULTS}/benchmark/validate-illumination.tsv"
    conda:
        "../../envs/site.yaml"
    resources:
        mem_mb=memory(1000, near=64),
        runtime=minutes(20, near=2.0),
    params:
        run=RUN,
        settings=settings_of("validate-illumination"),
        code=code_of("validate-illumination"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite validate-illumination --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"


SLOPE_RECORD = f"{RESULTS}/validate/slope.json" if PUBLISHED_SLOPE else []


if PUBLISHED_SLOPE:

    rule validate_slope:
        input:
            slope=f"{RESULTS}/terrain/slope.tif",
            published_slope=PUBLISHED_SLOPE,
        output:
            record=SLOPE_RECORD,
        log:
            f"{RESULTS}/log/validate-slope.log",
        benchmark:
            f"{RESULTS}/benchmark/validate-slope.tsv"
        conda:
            "../../envs/site.yaml"
        resources:
            # By bands of some 500 rows: 0.41 GB measured for 2544 pixels a side, 0.75 GB for 5040.
            mem_mb=math.ceil(700 + 200 * NEAR_MPX**0.5),
            runtime=minutes(20, near=2.0),
        params:
            run=RUN,
            settings=settings_of("validate-slope"),
            code=code_of("validate-slope"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite validate-slope --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


# Detected craters are compared with a given catalogue where the run has one.
CRATERS_JUDGED = DETECTED and CRATERS
CRATER_RECORD = f"{RESULTS}/validate/crater.json" if CRATERS_JUDGED else []
CRATER_MATCHES = f"{RESULTS}/validate/crater_matches.parquet" if CRATERS_JUDGED else []
CRATER_CANDIDATES = f"{RESULTS}/validate/crater_candidates.parquet" if CRATERS_JUDGED else []
CRATER_CURVE = f"{RESULTS}/validate/crater_curve.parquet" if CRATERS_JUDGED else []


if CRATERS_JUDGED:

    rule validate_crater:
        input:
            detected=DETECTED,
            model=CRATER_MODEL,
            catalogue=CRATERS,
            dem=f"{RESULTS}/terrain/dem.tif",
            base=BASE,
            classical=CLASSICAL,
        output:
            record=CRATER_RECORD,
            matches=CRATER_MATCHES,
            candidates=CRATER_CANDIDATES,
            curve=CRATER_CURVE,
        log:
            f"{RESULTS}/log/validate-crater.log",
        benchmark:
            f"{RESULTS}/benchmark/validate-crater.tsv"
        conda:
            "../../envs/site.yaml"
        resources:
            mem_mb=memory(2000, near=16),
            runtime=minutes(20, near=2.0),
        params:
            run=RUN,
            settings=settings_of("validate-crater"),
            code=code_of("validate-crater"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite validate-crater --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


# Enhancement on rendered scenes with their truth, and on real frames where the run has them.
ENHANCE_RECORD = f"{RESULTS}/validate/enhance.json" if ENHANCE.enabled else []
ENHANCE_SAMPLES = f"{RESULTS}/validate/enhance_samples.h5" if ENHANCE.enabled else []


if ENHANCE_RECORD:

    rule validate_enhance:
        input:
            scenes=LIT_SCENES,
            denoiser=DENOISER,
            cycle=CYCLE,
            frames=FRAMES,
            enhanced=ENHANCED,
            light=FRAME_LIGHT,
            craters=CRATERS if FRAMES else [],
        output:
            record=ENHANCE_RECORD,
            samples=ENHANCE_SAMPLES,
        log:
            f"{RESULTS}/log/validate-enhance.log",
        benchmark:
            f"{RESULTS}/benchmark/validate-enhance.tsv"
        conda:
            "../../envs/vision.yaml"
        threads: 8
        resources:
            mem_mb=4000,
            runtime=120,
        params:
            run=RUN,
            settings=settings_of("validate-enhance"),
            code=code_of("validate-enhance"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite validate-enhance --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


# Rocks on scenes that no training saw: own renders with their truth, and the dataset where the run has it.
ROCK_RECORD = f"{RESULTS}/validate/rock.json" if ROCK.enabled else []
ROCK_SAMPLES = f"{RESULTS}/validate/rock_samples.h5" if ROCK.enabled else []


if ROCK_RECORD:

    rule validate_rock:
        input:
            scenes=list(ROCK_SETS.values()),
            model=ROCK_MODEL,
            truth=ROCK_TRUTH,
            sizes=f"{ROCK_FOLDER}/renders_sizes.parquet",
            # What is no view from the ground at all.
            lit_scenes=LIT_SCENES,
            orbital=PSR_IMAGES if SETTINGS.source.psr_images.sunlit else [],
            ablation=ROCK_ABLATION,
        output:
            record=ROCK_RECORD,
            samples=ROCK_SAMPLES,
        log:
            f"{RESULTS}/log/validate-rock.log",
        benchmark:
            f"{RESULTS}/benchmark/validate-rock.tsv"
        conda:
            "../../envs/vision.yaml"
        threads: 8
        resources:
            mem_mb=4000,
            runtime=240,
        params:
            run=RUN,
            settings=settings_of("validate-rock"),
            code=code_of("validate-rock"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite validate-rock --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


# Predicted light and permanent shadow against ShadowCam's images.
SHADOWCAM_JUDGED = bool(SHADOWCAM or FRAMES)
SHADOWCAM_RECORD = f"{RESULTS}/validate/shadowcam.json" if SHADOWCAM_JUDGED else []
SHADOWCAM_SAMPLES = f"{RESULTS}/validate/shadowcam_samples.h5" if SHADOWCAM_JUDGED else []


if SHADOWCAM_JUDGED:

    rule validate_shadowcam:
        input:
            composites=SHADOWCAM,
            psr=f"{RESULTS}/illumination/psr.tif",
            sun_any=f"{RESULTS}/illumination/sun_any.tif",
            published_psr=PSR_REFERENCE,
            frames=FRAMES,
            light=FRAME_LIGHT,
        output:
            record=SHADOWCAM_RECORD,
            samples=SHADOWCAM_SAMPLES,
        log:
            f"{RESULTS}/log/validate-shadowcam.log",
        benchmark:
            f"{RESULTS}/benchmark/validate-shadowcam.tsv"
        conda:
            "../../envs/site.yaml"
        resources:
            mem_mb=memory(2000, near=16),
            runtime=minutes(60, near=2.0),
        params:
            run=RUN,
            settings=settings_of("validate-shadowcam"),
            code=code_of("validate-shadowcam"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite validate-shadowcam --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"
