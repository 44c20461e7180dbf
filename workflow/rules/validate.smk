"""Verdicts against references and chance."""


rule validate_artemis:
    input:
        scores=f"{RESULTS}/site/scores.parquet",
        cells=f"{RESULTS}/site/cells.parquet",
        regions=f"{RESOURCES}/artemis_regions.csv",
    output:
        artemis=f"{RESULTS}/validate/artemis.json",
    log:
        f"{RESULTS}/log/validate-artemis.log",
    benchmark:
        f"{RESULTS}/benchmark/validate-artemis.tsv"
    conda:
        "../../envs/site.yaml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        run=RUN,
        settings=settings_of("validate-artemis"),
        code=code_of("validate-artemis"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite validate-artemis --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"
