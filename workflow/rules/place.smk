"""Sites: contiguous good ground, their landing ellipses, their order and how firm it is."""


rule place_sites:
    input:
        cells=f"{RESULTS}/site/cells.parquet",
        labels=f"{RESULTS}/site/labels.parquet",
        labels_record=f"{RESULTS}/site/labels.json",
        scores=f"{RESULTS}/site/scores.parquet",
        criteria=f"{RESULTS}/site/criteria.parquet",
        dem=f"{RESULTS}/terrain/dem.tif",
        slope=f"{RESULTS}/terrain/slope.tif",
        sun_any=SUN_ANY,
        sun_mean=f"{RESULTS}/illumination/sun_mean.tif",
        earth_any=EARTH_ANY,
        psr=PSR_MAP,
        walk=f"{RESULTS}/site/reach_walk.tif",
        rover=f"{RESULTS}/site/reach_rover.tif",
        regions=f"{RESOURCES}/artemis_regions.csv",
    output:
        sites=f"{RESULTS}/site/sites.parquet",
        region_sites=f"{RESULTS}/site/region_sites.parquet",
        ranks=f"{RESULTS}/site/site_ranks.parquet",
        routes=f"{RESULTS}/site/routes.parquet",
        record=f"{RESULTS}/site/sites.json",
        sites_geojson=f"{RESULTS}/site/sites.geojson",
        region_sites_geojson=f"{RESULTS}/site/region_sites.geojson",
        sites_gpkg=f"{RESULTS}/site/sites.gpkg",
    log:
        f"{RESULTS}/log/place-sites.log",
    benchmark:
        f"{RESULTS}/benchmark/place-sites.tsv"
    conda:
        "../../envs/site.yaml"
    resources:
        mem_mb=3000,
        runtime=minutes(60, near=2.0),
    params:
        run=RUN,
        settings=settings_of("place-sites"),
        code=code_of("place-sites"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite place-sites --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"
