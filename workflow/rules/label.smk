"""Labels with uncertainty: clones of the elevation model are drawn in shards, and their counts gathered."""


rule label_clones:
    input:
        dem=f"{RESULTS}/terrain/dem.tif",
        elevation_error=ELEVATION_ERROR,
    output:
        clones=temp(f"{RESULTS}/site/clones_{{shard}}.h5"),
    log:
        f"{RESULTS}/log/label-clones_{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmark/label-clones_{{shard}}.tsv"
    conda:
        "../../envs/site.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=minutes(60, near=60.0, shards=SETTINGS.site.uncertainty.shards),
    params:
        run=RUN,
        settings=settings_of("label-clones"),
        code=code_of("label-clones"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite label-clones --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --shard {wildcards.shard} --log {log}"


rule label_labels:
    input:
        cells=f"{RESULTS}/site/cells.parquet",
        clones=expand(
            f"{RESULTS}/site/clones_{{shard}}.h5",
            shard=range(SETTINGS.site.uncertainty.shards),
        ),
        # The error of the computed maps is none of the published ones.
        illumination=[] if PUBLISHED_RULES else f"{RESULTS}/validate/illumination.json",
    output:
        labels=f"{RESULTS}/site/labels.parquet",
        record=f"{RESULTS}/site/labels.json",
    log:
        f"{RESULTS}/log/label-labels.log",
    benchmark:
        f"{RESULTS}/benchmark/label-labels.tsv"
    conda:
        "../../envs/site.yaml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        run=RUN,
        settings=settings_of("label-labels"),
        code=code_of("label-labels"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite label-labels --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"
