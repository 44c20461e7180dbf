"""From rasters to sites: cells, labels, the score, criteria, places."""


rule site_cells:
    input:
        dem=f"{RESULTS}/terrain/dem.tif",
        slope=f"{RESULTS}/terrain/slope.tif",
        roughness=f"{RESULTS}/terrain/roughness.tif",
        elevation_error=ELEVATION_ERROR,
        sun_mean=f"{RESULTS}/illumination/sun_mean.tif",
        sun_any=SUN_ANY,
        earth_any=EARTH_ANY,
        psr=PSR_MAP,
        craters=CRATERS if SETTINGS.site.craters == "given" else [],
        detected=DETECTED if SETTINGS.site.craters == "detected" else [],
    output:
        cells=f"{RESULTS}/site/cells.parquet",
    log:
        f"{RESULTS}/log/site-cells.log",
    benchmark:
        f"{RESULTS}/benchmark/site-cells.tsv"
    conda:
        "../../envs/site.yaml"
    threads: 2
    resources:
        mem_mb=3000,
        runtime=minutes(30, near=4.0),
    params:
        run=RUN,
        settings=settings_of("site-cells"),
        code=code_of("site-cells"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite site-cells --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"


include: "label.smk"
include: "score.smk"
include: "criteria.smk"
include: "place.smk"
