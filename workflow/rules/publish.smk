"""Figures, report and catalogue: they read artefacts and compute nothing."""

FIGURES = [
    "score_map",
    "close_up",
    "elevation",
    "slope",
    "sun",
    "earth",
    "psr",
    "shap",
    "artemis",
]
# What only some runs have: a published reference of light, nights, named places, detected craters and a catalogue.
LIGHT = ["light_differences", "light_scatter"] if SETTINGS.validation.illumination.table or LIGHT_MAPS else []
NIGHTS = ["night", "sun_and_earth"] if SETTINGS.darkness.enabled else []
PLACES = ["place_profiles", "place_series"] if SETTINGS.places.table else []
CRATER_MAPS = ["crater_map", "crater_probability"] if DETECTED else []
CRATER_CHECKS = ["crater_matches", "crater_curve", "crater_reliability", "crater_recall"] if CRATER_RECORD else []
# Charts of frames need frames: composites have no moment.
INTO_SHADOW = ["enhance_samples", "enhance_levels", "enhance_spectrum"] if ENHANCE_RECORD else []
INTO_SHADOW += ["enhance_frames"] if ENHANCED else []
SHADOWCAM_CHECKS = ["shadowcam_pictures"] if SHADOWCAM_JUDGED else []
SHADOWCAM_CHECKS += ["shadowcam_aucs"] if FRAMES else []
ROCK_CHECKS = ["rock_samples", "rock_overlap", "rock_reliability", "rock_risk", "rock_unfamiliar", "rock_hazards"]
ROCK_CHECKS += ["rock_gap"] if ROCK_ABLATED else []
ROCK_CHECKS = ROCK_CHECKS if ROCK_RECORD else []
SITE_CHECKS = ["calibration", "blocks", "sweeps", "dependence", "site_map", "site_ranks"]
FIGURE = f"{RESULTS}/publish/figures"


rule publish_figures:
    input:
        dem=f"{RESULTS}/terrain/dem.tif",
        slope=f"{RESULTS}/terrain/slope.tif",
        sun_mean=f"{RESULTS}/illumination/sun_mean.tif",
        sun_any=SUN_ANY,
        earth_any=EARTH_ANY,
        psr=PSR_MAP,
        cells=f"{RESULTS}/site/cells.parquet",
        scores=f"{RESULTS}/site/scores.parquet",
        artemis=f"{RESULTS}/validate/artemis.json",
        named_features=f"{RESOURCES}/named_features.csv",
        regions=f"{RESOURCES}/artemis_regions.csv",
    output:
        **{f"{name}_png": f"{FIGURE}/{name}.png" for name in FIGURES},
        **{f"{name}_pdf": f"{FIGURE}/{name}.pdf" for name in FIGURES},
    log:
        f"{RESULTS}/log/publish-figures.log",
    benchmark:
        f"{RESULTS}/benchmark/publish-figures.tsv"
    conda:
        "../../envs/publish.yaml"
    resources:
        mem_mb=3000,
        runtime=20,
    params:
        run=RUN,
        settings=settings_of("publish-figures"),
        code=code_of("publish-figures"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite publish-figures --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"


if LIGHT:

    rule publish_light:
        input:
            dem=f"{RESULTS}/terrain/dem.tif",
            cells=f"{RESULTS}/validate/illumination_cells.parquet",
            illumination=f"{RESULTS}/validate/illumination.json",
        output:
            **{f"{name}_png": f"{FIGURE}/{name}.png" for name in LIGHT},
            **{f"{name}_pdf": f"{FIGURE}/{name}.pdf" for name in LIGHT},
        log:
            f"{RESULTS}/log/publish-light.log",
        benchmark:
            f"{RESULTS}/benchmark/publish-light.tsv"
        conda:
            "../../envs/publish.yaml"
        resources:
            mem_mb=1000,
            runtime=20,
        params:
            run=RUN,
            settings=settings_of("publish-light"),
            code=code_of("publish-light"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite publish-light --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


if NIGHTS:

    rule publish_nights:
        input:
            dem=f"{RESULTS}/terrain/dem.tif",
            night=f"{RESULTS}/illumination/night.parquet",
            named_features=f"{RESOURCES}/named_features.csv",
        output:
            **{f"{name}_png": f"{FIGURE}/{name}.png" for name in NIGHTS},
            **{f"{name}_pdf": f"{FIGURE}/{name}.pdf" for name in NIGHTS},
        log:
            f"{RESULTS}/log/publish-nights.log",
        benchmark:
            f"{RESULTS}/benchmark/publish-nights.tsv"
        conda:
            "../../envs/publish.yaml"
        resources:
            mem_mb=2000,
            runtime=20,
        params:
            run=RUN,
            settings=settings_of("publish-nights"),
            code=code_of("publish-nights"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite publish-nights --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


if PLACES:

    rule publish_places:
        input:
            dem=f"{RESULTS}/terrain/dem.tif",
            profiles=f"{RESULTS}/illumination/place_profiles.parquet",
            series=f"{RESULTS}/illumination/place_series.parquet",
        output:
            places_png=f"{FIGURE}/places.png",
            places_pdf=f"{FIGURE}/places.pdf",
        log:
            f"{RESULTS}/log/publish-places.log",
        benchmark:
            f"{RESULTS}/benchmark/publish-places.tsv"
        conda:
            "../../envs/publish.yaml"
        resources:
            mem_mb=2000,
            runtime=20,
        params:
            run=RUN,
            settings=settings_of("publish-places"),
            code=code_of("publish-places"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite publish-places --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


if CRATER_MAPS:

    rule publish_craters:
        input:
            dem=f"{RESULTS}/terrain/dem.tif",
            detected=DETECTED,
            probability=PROBABILITY,
            named_features=f"{RESOURCES}/named_features.csv",
        output:
            **{f"{name}_png": f"{FIGURE}/{name}.png" for name in CRATER_MAPS},
            **{f"{name}_pdf": f"{FIGURE}/{name}.pdf" for name in CRATER_MAPS},
        log:
            f"{RESULTS}/log/publish-craters.log",
        benchmark:
            f"{RESULTS}/benchmark/publish-craters.tsv"
        conda:
            "../../envs/publish.yaml"
        resources:
            mem_mb=2000,
            runtime=20,
        params:
            run=RUN,
            settings=settings_of("publish-craters"),
            code=code_of("publish-craters"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite publish-craters --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


if CRATER_CHECKS:

    rule publish_crater_checks:
        input:
            dem=f"{RESULTS}/terrain/dem.tif",
            detected=DETECTED,
            matches=CRATER_MATCHES,
            curve=CRATER_CURVE,
            record=CRATER_RECORD,
            named_features=f"{RESOURCES}/named_features.csv",
        output:
            **{f"{name}_png": f"{FIGURE}/{name}.png" for name in CRATER_CHECKS},
            **{f"{name}_pdf": f"{FIGURE}/{name}.pdf" for name in CRATER_CHECKS},
        log:
            f"{RESULTS}/log/publish-crater-checks.log",
        benchmark:
            f"{RESULTS}/benchmark/publish-crater-checks.tsv"
        conda:
            "../../envs/publish.yaml"
        resources:
            mem_mb=2000,
            runtime=20,
        params:
            run=RUN,
            settings=settings_of("publish-crater-checks"),
            code=code_of("publish-crater-checks"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite publish-crater-checks --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


if INTO_SHADOW:

    rule publish_enhance:
        input:
            record=ENHANCE_RECORD,
            samples=ENHANCE_SAMPLES,
        output:
            **{f"{name}_png": f"{FIGURE}/{name}.png" for name in INTO_SHADOW},
            **{f"{name}_pdf": f"{FIGURE}/{name}.pdf" for name in INTO_SHADOW},
        log:
            f"{RESULTS}/log/publish-enhance.log",
        benchmark:
            f"{RESULTS}/benchmark/publish-enhance.tsv"
        conda:
            "../../envs/publish.yaml"
        resources:
            mem_mb=2000,
            runtime=20,
        params:
            run=RUN,
            settings=settings_of("publish-enhance"),
            code=code_of("publish-enhance"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite publish-enhance --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


if SHADOWCAM_CHECKS:

    rule publish_shadowcam:
        input:
            record=SHADOWCAM_RECORD,
            samples=SHADOWCAM_SAMPLES,
        output:
            **{f"{name}_png": f"{FIGURE}/{name}.png" for name in SHADOWCAM_CHECKS},
            **{f"{name}_pdf": f"{FIGURE}/{name}.pdf" for name in SHADOWCAM_CHECKS},
        log:
            f"{RESULTS}/log/publish-shadowcam.log",
        benchmark:
            f"{RESULTS}/benchmark/publish-shadowcam.tsv"
        conda:
            "../../envs/publish.yaml"
        resources:
            mem_mb=2000,
            runtime=20,
        params:
            run=RUN,
            settings=settings_of("publish-shadowcam"),
            code=code_of("publish-shadowcam"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite publish-shadowcam --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


if ROCK_CHECKS:

    rule publish_rock:
        input:
            record=ROCK_RECORD,
            samples=ROCK_SAMPLES,
            renders=f"{ROCK_FOLDER}/renders_distribution.parquet",
            images=f"{ROCK_FOLDER}/images_distribution.parquet" if ROCK_IMAGES else [],
        output:
            **{f"{name}_png": f"{FIGURE}/{name}.png" for name in ROCK_CHECKS},
            **{f"{name}_pdf": f"{FIGURE}/{name}.pdf" for name in ROCK_CHECKS},
        log:
            f"{RESULTS}/log/publish-rock.log",
        benchmark:
            f"{RESULTS}/benchmark/publish-rock.tsv"
        conda:
            "../../envs/publish.yaml"
        resources:
            mem_mb=2000,
            runtime=20,
        params:
            run=RUN,
            settings=settings_of("publish-rock"),
            code=code_of("publish-rock"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite publish-rock --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


rule publish_site_checks:
    input:
        dem=f"{RESULTS}/terrain/dem.tif",
        cells=f"{RESULTS}/site/cells.parquet",
        scores=f"{RESULTS}/site/scores.parquet",
        sweeps=f"{RESULTS}/site/sweeps.parquet",
        calibration=f"{RESULTS}/site/calibration.parquet",
        crossvalidation=f"{RESULTS}/site/crossvalidation.json",
        sites=f"{RESULTS}/site/sites.parquet",
        ranks=f"{RESULTS}/site/site_ranks.parquet",
        named_features=f"{RESOURCES}/named_features.csv",
        regions=f"{RESOURCES}/artemis_regions.csv",
    output:
        **{f"{name}_png": f"{FIGURE}/{name}.png" for name in SITE_CHECKS},
        **{f"{name}_pdf": f"{FIGURE}/{name}.pdf" for name in SITE_CHECKS},
    log:
        f"{RESULTS}/log/publish-site-checks.log",
    benchmark:
        f"{RESULTS}/benchmark/publish-site-checks.tsv"
    conda:
        "../../envs/publish.yaml"
    resources:
        mem_mb=3000,
        runtime=20,
    params:
        run=RUN,
        settings=settings_of("publish-site-checks"),
        code=code_of("publish-site-checks"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite publish-site-checks --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"


rule pages_write:
    input:
        dem=f"{RESULTS}/terrain/dem.tif",
        slope=f"{RESULTS}/terrain/slope.tif",
        sun_any=SUN_ANY,
        sun_mean=f"{RESULTS}/illumination/sun_mean.tif",
        earth_any=EARTH_ANY,
        psr=PSR_MAP,
        cells=f"{RESULTS}/site/cells.parquet",
        labels=f"{RESULTS}/site/labels.parquet",
        scores=f"{RESULTS}/site/scores.parquet",
        criteria=f"{RESULTS}/site/criteria.parquet",
        sites=f"{RESULTS}/site/sites.parquet",
        region_sites=f"{RESULTS}/site/region_sites.parquet",
        ranks=f"{RESULTS}/site/site_ranks.parquet",
        routes=f"{RESULTS}/site/routes.parquet",
        held_out=f"{RESULTS}/site/held_out.parquet",
        profiles=SITE_PROFILES,
        series=SITE_SERIES,
        months=SITE_MONTHS,
        sites_record=f"{RESULTS}/site/sites.json",
        artemis=f"{RESULTS}/validate/artemis.json",
        site=f"{RESULTS}/validate/site.json",
        enhance=ENHANCE_RECORD,
        shadowcam=SHADOWCAM_RECORD,
        named_features=f"{RESOURCES}/named_features.csv",
        regions=f"{RESOURCES}/artemis_regions.csv",
        receipts=NEEDED,
    output:
        pages=directory(f"{RESULTS}/publish/pages"),
    log:
        f"{RESULTS}/log/pages-write.log",
    benchmark:
        f"{RESULTS}/benchmark/pages-write.tsv"
    conda:
        "../../envs/publish.yaml"
    resources:
        mem_mb=3000,
        runtime=minutes(60, near=2.0),
    params:
        run=RUN,
        settings=settings_of("pages-write"),
        code=code_of("pages-write"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite pages-write --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"


rule publish_report:
    input:
        **{
            f"{name}_png": f"{FIGURE}/{name}.png"
            for name in FIGURES
            + SITE_CHECKS
            + LIGHT
            + NIGHTS
            + CRATER_MAPS
            + CRATER_CHECKS
            + INTO_SHADOW
            + SHADOWCAM_CHECKS
            + ROCK_CHECKS
        },
        dem=f"{RESULTS}/terrain/dem.tif",
        slope=f"{RESULTS}/terrain/slope.tif",
        roughness=f"{RESULTS}/terrain/roughness.tif",
        sun_mean=f"{RESULTS}/illumination/sun_mean.tif",
        sun_any=SUN_ANY,
        earth_mean=f"{RESULTS}/illumination/earth_mean.tif",
        earth_any=EARTH_ANY,
        psr=PSR_MAP,
        cells=f"{RESULTS}/site/cells.parquet",
        scores=f"{RESULTS}/site/scores.parquet",
        scorer_record=f"{RESULTS}/site/scorer.json",
        labels=f"{RESULTS}/site/labels.parquet",
        labels_record=f"{RESULTS}/site/labels.json",
        crossvalidation=f"{RESULTS}/site/crossvalidation.json",
        criteria=f"{RESULTS}/site/criteria.parquet",
        sites=f"{RESULTS}/site/sites.parquet",
        sites_record=f"{RESULTS}/site/sites.json",
        site_record=f"{RESULTS}/validate/site.json",
        artemis=f"{RESULTS}/validate/artemis.json",
        illumination=f"{RESULTS}/validate/illumination.json",
        craters=CRATERS,
        detected=DETECTED,
        crater_model=CRATER_MODEL if DETECTED else [],
        crater_record=CRATER_RECORD,
        crater_candidates=CRATER_CANDIDATES,
        slope_record=SLOPE_RECORD,
        enhance_record=ENHANCE_RECORD,
        denoiser=DENOISER,
        cycle=CYCLE,
        shadowcam_record=SHADOWCAM_RECORD,
        rock_record=ROCK_RECORD,
        rock_model=ROCK_MODEL,
        named_features=f"{RESOURCES}/named_features.csv",
    output:
        report=f"{RESULTS}/publish/report.html",
    log:
        f"{RESULTS}/log/publish-report.log",
    benchmark:
        f"{RESULTS}/benchmark/publish-report.tsv"
    conda:
        "../../envs/publish.yaml"
    resources:
        mem_mb=3000,
        runtime=20,
    params:
        run=RUN,
        settings=settings_of("publish-report"),
        code=code_of("publish-report"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite publish-report --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"


rule publish_catalogue:
    input:
        # A folder: the stage is given its first page.
        f"{RESULTS}/publish/pages",
        **{name: f"{RESULTS}/illumination/{name}.parquet" for name in PLACES},
        dem=f"{RESULTS}/terrain/dem.tif",
        far_dem=FAR_DEM,
        elevation_error=ELEVATION_ERROR,
        craters=CRATERS,
        slope=f"{RESULTS}/terrain/slope.tif",
        roughness=f"{RESULTS}/terrain/roughness.tif",
        sun_mean=f"{RESULTS}/illumination/sun_mean.tif",
        sun_any=f"{RESULTS}/illumination/sun_any.tif",
        earth_mean=f"{RESULTS}/illumination/earth_mean.tif",
        earth_any=f"{RESULTS}/illumination/earth_any.tif",
        psr=f"{RESULTS}/illumination/psr.tif",
        psr_margin=f"{RESULTS}/illumination/psr_margin.tif",
        sky_view=f"{RESULTS}/illumination/sky_view.tif",
        sun_months=f"{RESULTS}/illumination/sun_months.tif" if SETTINGS.illumination.months else [],
        cells=f"{RESULTS}/site/cells.parquet",
        scores=f"{RESULTS}/site/scores.parquet",
        scorer=f"{RESULTS}/site/scorer.ubj",
        scorer_record=f"{RESULTS}/site/scorer.json",
        artemis=f"{RESULTS}/validate/artemis.json",
        illumination=f"{RESULTS}/validate/illumination.json",
        illumination_cells=f"{RESULTS}/validate/illumination_cells.parquet",
        night=f"{RESULTS}/illumination/night.parquet" if NIGHTS else [],
        crater_model=CRATER_MODEL if DETECTED else [],
        crater_probability=PROBABILITY,
        detected_craters=DETECTED,
        crater_record=CRATER_RECORD,
        crater_matches=CRATER_MATCHES,
        crater_candidates=CRATER_CANDIDATES,
        crater_curve=CRATER_CURVE,
        lit_scenes=LIT_SCENES,
        denoiser=DENOISER,
        denoiser_training=f"{ENHANCERS}/denoiser.json" if ENHANCE_TRAINED else [],
        cycle=CYCLE,
        cycle_training=f"{ENHANCERS}/cycle.json" if ENHANCE_TRAINED else [],
        shadowcam_frames=FRAMES,
        frame_light=FRAME_LIGHT,
        enhanced_frames=ENHANCED,
        enhance_record=ENHANCE_RECORD,
        enhance_samples=ENHANCE_SAMPLES,
        shadowcam_record=SHADOWCAM_RECORD,
        shadowcam_samples=SHADOWCAM_SAMPLES,
        rock_renders=ROCK_RENDERS,
        rock_truth=ROCK_TRUTH,
        rock_images=ROCK_IMAGES,
        rock_model=ROCK_MODEL,
        rock_training=ROCK_TRAINING,
        rock_ablation=ROCK_ABLATION,
        rock_maps=[f"{ROCK_FOLDER}/{name}_maps.h5" for name in ROCK_SETS],
        rock_hazard=[f"{ROCK_FOLDER}/{name}_hazard.h5" for name in ROCK_SETS],
        rock_sizes=[f"{ROCK_FOLDER}/{name}_sizes.parquet" for name in ROCK_SETS],
        rock_distribution=[f"{ROCK_FOLDER}/{name}_distribution.parquet" for name in ROCK_SETS],
        rock_record=ROCK_RECORD,
        rock_samples=ROCK_SAMPLES,
        labels=f"{RESULTS}/site/labels.parquet",
        labels_record=f"{RESULTS}/site/labels.json",
        sweeps=f"{RESULTS}/site/sweeps.parquet",
        crossvalidation=f"{RESULTS}/site/crossvalidation.json",
        calibration=f"{RESULTS}/site/calibration.parquet",
        held_out=f"{RESULTS}/site/held_out.parquet",
        criteria=f"{RESULTS}/site/criteria.parquet",
        walk=f"{RESULTS}/site/reach_walk.tif",
        rover=f"{RESULTS}/site/reach_rover.tif",
        relief=RELIEF,
        temperature=TEMPERATURE,
        ice_depth=ICE_DEPTH,
        scarps=SCARPS,
        published_sun=SUN_REFERENCE,
        published_earth=EARTH_REFERENCE,
        published_psr=PSR_REFERENCE,
        published_slope=PUBLISHED_SLOPE,
        shadowcam=SHADOWCAM,
        slope_record=SLOPE_RECORD,
        sites=f"{RESULTS}/site/sites.parquet",
        region_sites=f"{RESULTS}/site/region_sites.parquet",
        site_ranks=f"{RESULTS}/site/site_ranks.parquet",
        routes=f"{RESULTS}/site/routes.parquet",
        sites_record=f"{RESULTS}/site/sites.json",
        site_record=f"{RESULTS}/validate/site.json",
        site_profiles=SITE_PROFILES,
        site_series=SITE_SERIES,
        site_months=SITE_MONTHS,
        report=f"{RESULTS}/publish/report.html",
    output:
        catalogue=f"{RESULTS}/publish/catalog.json",
        entries=directory(f"{RESULTS}/publish/catalogue"),
    log:
        f"{RESULTS}/log/publish-catalogue.log",
    benchmark:
        f"{RESULTS}/benchmark/publish-catalogue.tsv"
    conda:
        "../../envs/publish.yaml"
    resources:
        mem_mb=1000,
        runtime=minutes(10, near=0.5),
    params:
        run=RUN,
        settings=settings_of("publish-catalogue"),
        code=code_of("publish-catalogue"),
        inputs=lambda wildcards, input: [*inputs(wildcards, input), f"pages={input[0]}/index.html"],
        outputs=outputs,
    shell:
        "python -m lunarsite publish-catalogue --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"
