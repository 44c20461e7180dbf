"""Slope, roughness and the elevation's error."""


rule terrain_slope:
    input:
        dem=f"{RESULTS}/terrain/dem.tif",
    output:
        slope=f"{RESULTS}/terrain/slope.tif",
    log:
        f"{RESULTS}/log/terrain-slope.log",
    benchmark:
        f"{RESULTS}/benchmark/terrain-slope.tsv"
    conda:
        "../../envs/terrain.yaml"
    resources:
        mem_mb=2000,
        runtime=minutes(20, near=2.0),
    params:
        run=RUN,
        settings=settings_of("terrain-slope"),
        code=code_of("terrain-slope"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite terrain-slope --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"


rule terrain_roughness:
    input:
        dem=f"{RESULTS}/terrain/dem.tif",
    output:
        roughness=f"{RESULTS}/terrain/roughness.tif",
    log:
        f"{RESULTS}/log/terrain-roughness.log",
    benchmark:
        f"{RESULTS}/benchmark/terrain-roughness.tsv"
    conda:
        "../../envs/terrain.yaml"
    resources:
        mem_mb=2000,
        runtime=minutes(20, near=2.0),
    params:
        run=RUN,
        settings=settings_of("terrain-roughness"),
        code=code_of("terrain-roughness"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite terrain-roughness --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"


if GIVEN is None or not GIVEN.elevation_error:

    rule terrain_elevation_error:
        input:
            dem=f"{RESULTS}/terrain/dem.tif",
        output:
            elevation_error=ELEVATION_ERROR,
        log:
            f"{RESULTS}/log/terrain-elevation-error.log",
        benchmark:
            f"{RESULTS}/benchmark/terrain-elevation-error.tsv"
        conda:
            "../../envs/terrain.yaml"
        resources:
            mem_mb=2000,
            runtime=minutes(20, near=1.0),
        params:
            run=RUN,
            settings=settings_of("terrain-elevation-error"),
            code=code_of("terrain-elevation-error"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite terrain-elevation-error --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


if FINE_DEMS:

    rule terrain_relief:
        input:
            fine_dems=FINE_DEMS,
        output:
            cells=RELIEF,
        log:
            f"{RESULTS}/log/terrain-relief.log",
        benchmark:
            f"{RESULTS}/benchmark/terrain-relief.tsv"
        conda:
            "../../envs/terrain.yaml"
        resources:
            mem_mb=3000,
            runtime=minutes(60, near=4.0),
        params:
            run=RUN,
            settings=settings_of("terrain-relief"),
            code=code_of("terrain-relief"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite terrain-relief --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"
