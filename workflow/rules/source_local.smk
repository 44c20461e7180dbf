"""A user's own files: elevation, craters, and layers that only a user can bring."""

if LOCAL:

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
            runtime=minutes(30, near=2.0, far=2.0),
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

    if COMPOSITES:

        rule images_composite:
            input:
                composite_file=lambda wildcards: str(LOCAL.shadowcam[int(wildcards.part)]),
            output:
                shadowcam=f"{RESULTS}/source/shadowcam_{{part}}.tif",
            log:
                f"{RESULTS}/log/images-composite_{{part}}.log",
            benchmark:
                f"{RESULTS}/benchmark/images-composite_{{part}}.tsv"
            wildcard_constraints:
                part=r"\d+",
            conda:
                "../../envs/source.yaml"
            resources:
                mem_mb=3000,
                runtime=60,
            params:
                run=RUN,
                settings=settings_of("images-composite"),
                code=code_of("images-composite"),
                inputs=inputs,
                outputs=outputs,
            shell:
                "python -m lunarsite images-composite --in {params.inputs:q} --out {params.outputs:q}"
                " --settings {params.settings:q} --run {params.run} --log {log}"
