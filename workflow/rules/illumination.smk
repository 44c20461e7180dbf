"""Light, Earth view and permanent shadow: the directions are swept in shards, and the shards' sums gathered."""

# The first height's rasters carry the plain names, such as sun_mean.tif; the others' name theirs: sun_mean_10m.tif.
HEIGHTS = ["", *(f"_{height:g}m" for height in SETTINGS.illumination.observer_heights_m[1:])]

# Sums of each height, and those of the months, stand in memory beside the elevation (docs/illumination.md, Cost).
SWEEP_BYTES = 48 + (25 + 48 * SETTINGS.illumination.months) * (len(HEIGHTS) - 1) + 48 * SETTINGS.illumination.months


rule illumination_sweep:
    input:
        dem=f"{RESULTS}/terrain/dem.tif",
        far_dem=FAR_DEM,
    output:
        partial=temp(f"{RESULTS}/illumination/partial_{{shard}}.h5"),
    log:
        f"{RESULTS}/log/illumination-sweep_{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmark/illumination-sweep_{{shard}}.tsv"
    conda:
        "../../envs/illumination.yaml"
    threads: 8
    resources:
        mem_mb=memory(2000, near=SWEEP_BYTES, far=16),
        runtime=minutes(60, near=60.0, far=12.0, shards=SETTINGS.illumination.shards),
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
        partials=expand(
            f"{RESULTS}/illumination/partial_{{shard}}.h5",
            shard=range(SETTINGS.illumination.shards),
        ),
    output:
        sun_mean=f"{RESULTS}/illumination/sun_mean{{height}}.tif",
        sun_any=f"{RESULTS}/illumination/sun_any{{height}}.tif",
        earth_mean=f"{RESULTS}/illumination/earth_mean{{height}}.tif",
        earth_any=f"{RESULTS}/illumination/earth_any{{height}}.tif",
        psr=f"{RESULTS}/illumination/psr{{height}}.tif",
        psr_margin=f"{RESULTS}/illumination/psr_margin{{height}}.tif",
        sky_view=f"{RESULTS}/illumination/sky_view{{height}}.tif",
        sun_months=(f"{RESULTS}/illumination/sun_months{{height}}.tif" if SETTINGS.illumination.months else []),
    log:
        f"{RESULTS}/log/illumination-gather{{height}}.log",
    benchmark:
        f"{RESULTS}/benchmark/illumination-gather{{height}}.tsv"
    conda:
        "../../envs/illumination.yaml"
    resources:
        mem_mb=memory(3000, near=2),
        runtime=minutes(30, near=6.0),
    params:
        run=RUN,
        settings=settings_of("illumination-gather"),
        code=code_of("illumination-gather"),
        height=lambda wildcards: HEIGHTS.index(wildcards.height),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite illumination-gather --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --height {params.height} --log {log}"


rule illumination_profiles:
    input:
        dem=f"{RESULTS}/terrain/dem.tif",
        far_dem=FAR_DEM,
        sun_any=f"{RESULTS}/illumination/sun_any.tif",
    output:
        partial=temp(f"{RESULTS}/illumination/profiles_{{shard}}.h5"),
    log:
        f"{RESULTS}/log/illumination-profiles_{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmark/illumination-profiles_{{shard}}.tsv"
    conda:
        "../../envs/illumination.yaml"
    threads: 8
    resources:
        mem_mb=memory(2000, near=48, far=16),
        runtime=minutes(60, near=60.0, far=12.0, shards=SETTINGS.illumination.shards),
    params:
        run=RUN,
        settings=settings_of("illumination-profiles"),
        code=code_of("illumination-profiles"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite illumination-profiles --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --shard {wildcards.shard} --log {log}"


rule illumination_darkness:
    input:
        partials=expand(
            f"{RESULTS}/illumination/profiles_{{shard}}.h5",
            shard=range(SETTINGS.illumination.shards),
        ),
    output:
        night=f"{RESULTS}/illumination/night.parquet",
    log:
        f"{RESULTS}/log/illumination-darkness.log",
    benchmark:
        f"{RESULTS}/benchmark/illumination-darkness.tsv"
    conda:
        "../../envs/illumination.yaml"
    threads: 8
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        run=RUN,
        settings=settings_of("illumination-darkness"),
        code=code_of("illumination-darkness"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite illumination-darkness --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"


if SETTINGS.places.table:

    rule illumination_places:
        input:
            dem=f"{RESULTS}/terrain/dem.tif",
            far_dem=FAR_DEM,
            table=str(SETTINGS.places.table),
        output:
            profiles=f"{RESULTS}/illumination/place_profiles.parquet",
            series=f"{RESULTS}/illumination/place_series.parquet",
        log:
            f"{RESULTS}/log/illumination-places.log",
        benchmark:
            f"{RESULTS}/benchmark/illumination-places.tsv"
        conda:
            "../../envs/illumination.yaml"
        threads: 8
        resources:
            mem_mb=memory(2000, near=48, far=16),
            runtime=minutes(60, near=60.0, far=12.0),
        params:
            run=RUN,
            settings=settings_of("illumination-places"),
            code=code_of("illumination-places"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite illumination-places --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


SITES_TOLD = SETTINGS.places.best_sites > 0
SITE_PROFILES = f"{RESULTS}/illumination/site_profiles.parquet" if SITES_TOLD else []
SITE_SERIES = f"{RESULTS}/illumination/site_series.parquet" if SITES_TOLD else []
SITE_MONTHS = f"{RESULTS}/illumination/site_months.parquet" if SITES_TOLD else []


if SITES_TOLD:

    rule illumination_sites:
        input:
            dem=f"{RESULTS}/terrain/dem.tif",
            far_dem=FAR_DEM,
            sites=f"{RESULTS}/site/sites.parquet",
        output:
            profiles=SITE_PROFILES,
            series=SITE_SERIES,
            months=SITE_MONTHS,
        log:
            f"{RESULTS}/log/illumination-sites.log",
        benchmark:
            f"{RESULTS}/benchmark/illumination-sites.tsv"
        conda:
            "../../envs/illumination.yaml"
        threads: 8
        resources:
            mem_mb=memory(2000, near=48, far=16),
            runtime=minutes(60, near=60.0, far=12.0),
        params:
            run=RUN,
            settings=settings_of("illumination-sites"),
            code=code_of("illumination-sites"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite illumination-sites --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


include: "light.smk"
