"""The one rule that downloads."""


rule fetch_product:
    input:
        # What changes of another product's entry is no reason to look at this one again.
        products=ancient(PRODUCTS),
    output:
        # The files beside it, and the parts of unfinished ones, are none of snakemake's: it would remove them when a job
        # fails, and a download of gigabytes would begin anew.
        receipt=f"{FETCHED}/{{product}}/{{version}}/receipt.json",
    log:
        f"{RESULTS}/log/fetch-product_{{product}}_{{version}}.log",
    benchmark:
        f"{RESULTS}/benchmark/fetch-product_{{product}}_{{version}}.tsv"
    wildcard_constraints:
        product=r"[a-z0-9][a-z0-9_]*",
        version=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    # Small products first: what fails fails soon, and not after hours of a large one.
    priority: priority_of
    # The stage itself tries again, and resumes.
    retries: 0
    # Nodes of clusters often reach no network: the machine that snakemake runs on does it.
    localrule: True
    conda:
        "../../envs/source.yaml"
    resources:
        mem_mb=1000,
        runtime=2880,
        # The profiles say how many products are fetched side by side.
        downloads=1,
    params:
        run=RUN,
        entry=entry_of,
        # Neither a new time-out nor new code makes a download stale: settings are a function of the input as well, which
        # snakemake does not count among the reasons to rerun, and there is no fingerprint of the code.
        settings=lambda wildcards, input: settings_of("fetch-product")(wildcards),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite fetch-product --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --product {wildcards.product} --log {log}"
