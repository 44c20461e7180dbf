"""The learned score, and what it is worth on ground that it never saw."""


rule score_train:
    input:
        cells=f"{RESULTS}/site/cells.parquet",
        labels=f"{RESULTS}/site/labels.parquet",
    output:
        scores=f"{RESULTS}/site/scores.parquet",
        model=f"{RESULTS}/site/scorer.ubj",
        record=f"{RESULTS}/site/scorer.json",
        sweeps=f"{RESULTS}/site/sweeps.parquet",
    log:
        f"{RESULTS}/log/score-train.log",
    benchmark:
        f"{RESULTS}/benchmark/score-train.tsv"
    conda:
        "../../envs/site.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        run=RUN,
        settings=settings_of("score-train"),
        code=code_of("score-train"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite score-train --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"


rule score_crossvalidate:
    input:
        cells=f"{RESULTS}/site/cells.parquet",
        labels=f"{RESULTS}/site/labels.parquet",
    output:
        record=f"{RESULTS}/site/crossvalidation.json",
        calibration=f"{RESULTS}/site/calibration.parquet",
        held_out=f"{RESULTS}/site/held_out.parquet",
    log:
        f"{RESULTS}/log/score-crossvalidate.log",
    benchmark:
        f"{RESULTS}/benchmark/score-crossvalidate.tsv"
    conda:
        "../../envs/site.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        run=RUN,
        settings=settings_of("score-crossvalidate"),
        code=code_of("score-crossvalidate"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite score-crossvalidate --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"
