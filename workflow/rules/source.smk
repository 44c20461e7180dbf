"""Elevation, from the synthetic Moon or from a user's files. What follows does not know which."""

LOCAL = SETTINGS.source.local if SETTINGS.source.kind == "local" else None
# Artefacts that not every run has: an empty list, which snakemake takes for no file, where it has not.
FAR_DEM = f"{RESULTS}/terrain/far_dem.tif" if LOCAL is None or LOCAL.far_dem else []
CRATERS = f"{RESULTS}/source/craters.parquet" if LOCAL is None or LOCAL.craters else []
ELEVATION_ERROR = f"{RESULTS}/terrain/elevation_error.tif"


if LOCAL is None:

    rule source_synthetic:
        input:
            named_features=f"{RESOURCES}/named_features.csv",
        output:
            dem=f"{RESULTS}/terrain/dem.tif",
            far_dem=FAR_DEM,
            craters=CRATERS,
            record=f"{RESULTS}/source/record.json",
        log:
            f"{RESULTS}/log/source-synthetic.log",
        benchmark:
            f"{RESULTS}/benchmark/source-synthetic.tsv"
        conda:
            "../../envs/terrain.yaml"
        threads: 2
        resources:
            mem_mb=3000,
            runtime=30,
        params:
            run=RUN,
            settings=settings_of("source-synthetic"),
            code=code_of("source-synthetic"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite source-synthetic --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"

else:

    rule source_local:
        input:
            dem_file=str(LOCAL.dem),
            far_dem_file=str(LOCAL.far_dem or "") or [],
            elevation_error_file=str(LOCAL.elevation_error or "") or [],
            craters_file=str(LOCAL.craters or "") or [],
        output:
            dem=f"{RESULTS}/terrain/dem.tif",
            far_dem=FAR_DEM,
            elevation_error=ELEVATION_ERROR if LOCAL.elevation_error else [],
            craters=CRATERS,
            record=f"{RESULTS}/source/record.json",
        log:
            f"{RESULTS}/log/source-local.log",
        benchmark:
            f"{RESULTS}/benchmark/source-local.tsv"
        conda:
            "../../envs/terrain.yaml"
        resources:
            mem_mb=3000,
            runtime=30,
        params:
            run=RUN,
            settings=settings_of("source-local"),
            code=code_of("source-local"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite source-local --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"
