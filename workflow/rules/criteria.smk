"""Criteria beyond the rule: ways to permanent shadow, craters, relief, nights, and layers that a user may bring."""

NIGHT = f"{RESULTS}/illumination/night.parquet" if SETTINGS.darkness.enabled else []


rule criteria_reach:
    input:
        slope=f"{RESULTS}/terrain/slope.tif",
        psr=PSR_MAP,
    output:
        path=f"{RESULTS}/site/reach_{{mover}}.tif",
    log:
        f"{RESULTS}/log/criteria-reach_{{mover}}.log",
    benchmark:
        f"{RESULTS}/benchmark/criteria-reach_{{mover}}.tsv"
    wildcard_constraints:
        mover="walk|rover",
    conda:
        "../../envs/site.yaml"
    resources:
        mem_mb=memory(1000, near=100),
        runtime=minutes(30, near=20.0),
    params:
        run=RUN,
        settings=settings_of("criteria-reach"),
        code=code_of("criteria-reach"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite criteria-reach --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --mover {wildcards.mover} --log {log}"


rule criteria_gather:
    input:
        cells=f"{RESULTS}/site/cells.parquet",
        labels=f"{RESULTS}/site/labels.parquet",
        psr=PSR_MAP,
        walk=f"{RESULTS}/site/reach_walk.tif",
        rover=f"{RESULTS}/site/reach_rover.tif",
        night=NIGHT,
        craters=CRATERS if SETTINGS.site.craters == "given" else [],
        detected=DETECTED if SETTINGS.site.craters == "detected" else [],
        relief=RELIEF,
        temperature=TEMPERATURE,
        ice_depth=ICE_DEPTH,
        scarps=SCARPS,
    output:
        criteria=f"{RESULTS}/site/criteria.parquet",
    log:
        f"{RESULTS}/log/criteria-gather.log",
    benchmark:
        f"{RESULTS}/benchmark/criteria-gather.tsv"
    conda:
        "../../envs/site.yaml"
    resources:
        mem_mb=memory(2000, near=24),
        runtime=minutes(30, near=2.0),
    params:
        run=RUN,
        settings=settings_of("criteria-gather"),
        code=code_of("criteria-gather"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite criteria-gather --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"
