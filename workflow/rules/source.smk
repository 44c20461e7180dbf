"""Elevation, from the synthetic Moon or from a user's files. What follows does not know which."""

LOCAL = SETTINGS.source.local if SETTINGS.source.kind == "local" else None
# Artefacts that not every run has: an empty list, which snakemake takes for no file, where it has not.
FAR_DEM = f"{RESULTS}/terrain/far_dem.tif" if LOCAL is None or LOCAL.far_dem else []
CRATERS = f"{RESULTS}/source/craters.parquet" if LOCAL is None or LOCAL.craters else []
ELEVATION_ERROR = f"{RESULTS}/terrain/elevation_error.tif"
FINE_DEMS = [f"{RESULTS}/source/fine_dem_{part}.tif" for part in range(len(LOCAL.fine_dems))] if LOCAL else []
RELIEF = f"{RESULTS}/terrain/relief.parquet" if FINE_DEMS else []
TEMPERATURE = f"{RESULTS}/source/temperature.tif" if LOCAL and LOCAL.temperature else []
ICE_DEPTH = f"{RESULTS}/source/ice_depth.tif" if LOCAL and LOCAL.ice_depth else []
SCARPS = f"{RESULTS}/source/scarps.parquet" if LOCAL and LOCAL.scarps else []


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

    if FINE_DEMS:

        rule source_fine_dem:
            input:
                fine_dem_file=lambda wildcards: str(LOCAL.fine_dems[int(wildcards.part)]),
            output:
                fine_dem=f"{RESULTS}/source/fine_dem_{{part}}.tif",
            log:
                f"{RESULTS}/log/source-fine-dem_{{part}}.log",
            benchmark:
                f"{RESULTS}/benchmark/source-fine-dem_{{part}}.tsv"
            wildcard_constraints:
                part=r"\d+",
            conda:
                "../../envs/terrain.yaml"
            resources:
                mem_mb=3000,
                runtime=30,
            params:
                run=RUN,
                settings=settings_of("source-fine-dem"),
                code=code_of("source-fine-dem"),
                inputs=inputs,
                outputs=outputs,
            shell:
                "python -m lunarsite source-fine-dem --in {params.inputs:q} --out {params.outputs:q}"
                " --settings {params.settings:q} --run {params.run} --log {log}"

    if TEMPERATURE:

        rule source_temperature:
            input:
                temperature_file=str(LOCAL.temperature),
            output:
                temperature=TEMPERATURE,
            log:
                f"{RESULTS}/log/source-temperature.log",
            benchmark:
                f"{RESULTS}/benchmark/source-temperature.tsv"
            conda:
                "../../envs/terrain.yaml"
            resources:
                mem_mb=2000,
                runtime=30,
            params:
                run=RUN,
                settings=settings_of("source-temperature"),
                code=code_of("source-temperature"),
                inputs=inputs,
                outputs=outputs,
            shell:
                "python -m lunarsite source-temperature --in {params.inputs:q} --out {params.outputs:q}"
                " --settings {params.settings:q} --run {params.run} --log {log}"

    if ICE_DEPTH:

        rule source_ice_depth:
            input:
                ice_depth_file=str(LOCAL.ice_depth),
            output:
                ice_depth=ICE_DEPTH,
            log:
                f"{RESULTS}/log/source-ice-depth.log",
            benchmark:
                f"{RESULTS}/benchmark/source-ice-depth.tsv"
            conda:
                "../../envs/terrain.yaml"
            resources:
                mem_mb=2000,
                runtime=30,
            params:
                run=RUN,
                settings=settings_of("source-ice-depth"),
                code=code_of("source-ice-depth"),
                inputs=inputs,
                outputs=outputs,
            shell:
                "python -m lunarsite source-ice-depth --in {params.inputs:q} --out {params.outputs:q}"
                " --settings {params.settings:q} --run {params.run} --log {log}"

    if SCARPS:

        rule source_scarps:
            input:
                scarps_file=str(LOCAL.scarps),
            output:
                scarps=SCARPS,
            log:
                f"{RESULTS}/log/source-scarps.log",
            benchmark:
                f"{RESULTS}/benchmark/source-scarps.tsv"
            conda:
                "../../envs/terrain.yaml"
            resources:
                mem_mb=2000,
                runtime=30,
            params:
                run=RUN,
                settings=settings_of("source-scarps"),
                code=code_of("source-scarps"),
                inputs=inputs,
                outputs=outputs,
            shell:
                "python -m lunarsite source-scarps --in {params.inputs:q} --out {params.outputs:q}"
                " --settings {params.settings:q} --run {params.run} --log {log}"
