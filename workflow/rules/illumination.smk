"""Light, Earth view and permanent shadow: the azimuths are swept in shards, and their sums gathered."""


rule illumination_sweep:
    input:
        dem=f"{RESULTS}/terrain/dem.tif",
        far_dem=FAR_DEM,
    output:
        partial=f"{RESULTS}/illumination/partial_{{shard}}.tif",
    log:
        f"{RESULTS}/log/illumination-sweep_{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmark/illumination-sweep_{{shard}}.tsv"
    conda:
        "../../envs/illumination.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        run=RUN,
        settings=settings_of("illumination-sweep"),
        code=code_of("illumination-sweep"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite illumination-sweep --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --shard {wildcards.shard} --log {log}"


rule illumination_gather:
    input:
        partials=expand(f"{RESULTS}/illumination/partial_{{shard}}.tif", shard=range(SETTINGS.illumination.shards)),
    output:
        sun_mean=f"{RESULTS}/illumination/sun_mean.tif",
        sun_any=f"{RESULTS}/illumination/sun_any.tif",
        earth_mean=f"{RESULTS}/illumination/earth_mean.tif",
        earth_any=f"{RESULTS}/illumination/earth_any.tif",
        psr=f"{RESULTS}/illumination/psr.tif",
    log:
        f"{RESULTS}/log/illumination-gather.log",
    benchmark:
        f"{RESULTS}/benchmark/illumination-gather.tsv"
    conda:
        "../../envs/illumination.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        run=RUN,
        settings=settings_of("illumination-gather"),
        code=code_of("illumination-gather"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite illumination-gather --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"
