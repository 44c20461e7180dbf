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


REFERENCE = SETTINGS.validation.illumination


rule validate_illumination:
    input:
        sun_mean=f"{RESULTS}/illumination/sun_mean.tif",
        sun_any=f"{RESULTS}/illumination/sun_any.tif",
        earth_mean=f"{RESULTS}/illumination/earth_mean.tif",
        earth_any=f"{RESULTS}/illumination/earth_any.tif",
        psr=f"{RESULTS}/illumination/psr.tif",
        table=str(REFERENCE.table or "") or [],
        polygons=str(REFERENCE.psr_polygons or "") or [],
    output:
        record=f"{RESULTS}/validate/illumination.json",
        cells=f"{RESULTS}/validate/illumination_cells.parquet",
    log:
        f"{RESULTS}/log/validate-illumination.log",
    benchmark:
        f"{RESULTS}/benchmark/validate-illumination.tsv"
    conda:
        "../../envs/site.yaml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        run=RUN,
        settings=settings_of("validate-illumination"),
        code=code_of("validate-illumination"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite validate-illumination --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"
