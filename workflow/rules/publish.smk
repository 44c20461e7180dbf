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
FIGURE = f"{RESULTS}/publish/figures"


rule publish_figures:
    input:
        dem=f"{RESULTS}/terrain/dem.tif",
        slope=f"{RESULTS}/terrain/slope.tif",
        sun_mean=f"{RESULTS}/illumination/sun_mean.tif",
        sun_any=f"{RESULTS}/illumination/sun_any.tif",
        earth_any=f"{RESULTS}/illumination/earth_any.tif",
        psr=f"{RESULTS}/illumination/psr.tif",
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


rule publish_report:
    input:
        **{f"{name}_png": f"{FIGURE}/{name}.png" for name in FIGURES},
        dem=f"{RESULTS}/terrain/dem.tif",
        slope=f"{RESULTS}/terrain/slope.tif",
        roughness=f"{RESULTS}/terrain/roughness.tif",
        sun_mean=f"{RESULTS}/illumination/sun_mean.tif",
        sun_any=f"{RESULTS}/illumination/sun_any.tif",
        earth_mean=f"{RESULTS}/illumination/earth_mean.tif",
        earth_any=f"{RESULTS}/illumination/earth_any.tif",
        psr=f"{RESULTS}/illumination/psr.tif",
        cells=f"{RESULTS}/site/cells.parquet",
        scores=f"{RESULTS}/site/scores.parquet",
        scorer_record=f"{RESULTS}/site/scorer.json",
        artemis=f"{RESULTS}/validate/artemis.json",
        illumination=f"{RESULTS}/validate/illumination.json",
        craters=CRATERS,
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
        cells=f"{RESULTS}/site/cells.parquet",
        scores=f"{RESULTS}/site/scores.parquet",
        scorer=f"{RESULTS}/site/scorer.ubj",
        scorer_record=f"{RESULTS}/site/scorer.json",
        artemis=f"{RESULTS}/validate/artemis.json",
        illumination=f"{RESULTS}/validate/illumination.json",
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
        runtime=10,
    params:
        run=RUN,
        settings=settings_of("publish-catalogue"),
        code=code_of("publish-catalogue"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite publish-catalogue --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"
