"""Published products: elevation and craters, and the maps, slopes and outlines that the run's own are compared with."""

# Light, Earth view and permanent shadow as published, beside the computed ones or in their stead. An empty list where a
# run has none.
LIGHT_MAPS = bool(PUBLISHED and PUBLISHED.sun)
SUN_REFERENCE = f"{RESULTS}/source/sun_any.tif" if LIGHT_MAPS else []
EARTH_REFERENCE = f"{RESULTS}/source/earth_any.tif" if LIGHT_MAPS else []
PSR_REFERENCE = f"{RESULTS}/source/psr.tif" if LIGHT_MAPS else []
PUBLISHED_RULES = PUBLISHED is not None and PUBLISHED.rules_read == "published"
# What rules, features, sites and pages read.
SUN_ANY = SUN_REFERENCE if PUBLISHED_RULES else f"{RESULTS}/illumination/sun_any.tif"
EARTH_ANY = EARTH_REFERENCE if PUBLISHED_RULES else f"{RESULTS}/illumination/earth_any.tif"
PSR_MAP = PSR_REFERENCE if PUBLISHED_RULES else f"{RESULTS}/illumination/psr.tif"

PUBLISHED_SLOPE = f"{RESULTS}/source/published_slope.tif" if PUBLISHED and PUBLISHED.slope else []
PSR_POLYGONS = f"{RESULTS}/source/psr_polygons.gpkg" if PUBLISHED and PUBLISHED.psr_polygons else []
EXPERTS = f"{RESULTS}/source/experts.csv" if PUBLISHED and PUBLISHED.experts else []
# One map for each image of the product, by the names of its files or of what is unpacked of them.
SHADOWCAM = (
    [
        f"{RESULTS}/source/shadowcam_{name}.tif"
        for name in lunarsite.source.needs.image_names(product(PUBLISHED.shadowcam))
    ]
    if PUBLISHED and PUBLISHED.shadowcam
    else COMPOSITES
)


if PUBLISHED:

    rule published_elevation:
        input:
            dem_files=receipts(PUBLISHED.dem),
            far_dem_files=receipts(PUBLISHED.far_dem),
            elevation_error_files=receipts(PUBLISHED.elevation_error),
            crater_files=receipts(PUBLISHED.craters),
        output:
            dem=f"{RESULTS}/terrain/dem.tif",
            far_dem=FAR_DEM,
            elevation_error=ELEVATION_ERROR if PUBLISHED.elevation_error else [],
            craters=CRATERS,
            record=f"{RESULTS}/source/record.json",
        log:
            f"{RESULTS}/log/published-elevation.log",
        benchmark:
            f"{RESULTS}/benchmark/published-elevation.tsv"
        conda:
            "../../envs/source.yaml"
        resources:
            mem_mb=3000,
            runtime=minutes(60, near=2.0, far=2.0),
        params:
            run=RUN,
            settings=settings_of("published-elevation"),
            code=code_of("published-elevation"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite published-elevation --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"

    if FINE_DEMS:

        rule published_fine_dem:
            input:
                fine_dem_files=lambda wildcards: receipts(PUBLISHED.fine_dems[int(wildcards.part)]),
            output:
                fine_dem=f"{RESULTS}/source/fine_dem_{{part}}.tif",
            log:
                f"{RESULTS}/log/published-fine-dem_{{part}}.log",
            benchmark:
                f"{RESULTS}/benchmark/published-fine-dem_{{part}}.tsv"
            wildcard_constraints:
                part=r"\d+",
            conda:
                "../../envs/source.yaml"
            resources:
                mem_mb=3000,
                runtime=120,
            params:
                run=RUN,
                settings=settings_of("published-fine-dem"),
                code=code_of("published-fine-dem"),
                inputs=inputs,
                outputs=outputs,
            shell:
                "python -m lunarsite published-fine-dem --in {params.inputs:q} --out {params.outputs:q}"
                " --settings {params.settings:q} --run {params.run} --log {log}"

    if LIGHT_MAPS:

        rule published_illumination:
            input:
                sun_files=receipts(*PUBLISHED.sun),
                earth_files=receipts(*PUBLISHED.earth),
                psr_files=receipts(*PUBLISHED.psr),
            output:
                sun_any=SUN_REFERENCE,
                earth_any=EARTH_REFERENCE,
                psr=PSR_REFERENCE,
            log:
                f"{RESULTS}/log/published-illumination.log",
            benchmark:
                f"{RESULTS}/benchmark/published-illumination.tsv"
            conda:
                "../../envs/source.yaml"
            resources:
                mem_mb=3000,
                runtime=minutes(60, near=2.0),
            params:
                run=RUN,
                settings=settings_of("published-illumination"),
                code=code_of("published-illumination"),
                inputs=inputs,
                outputs=outputs,
            shell:
                "python -m lunarsite published-illumination --in {params.inputs:q} --out {params.outputs:q}"
                " --settings {params.settings:q} --run {params.run} --log {log}"

    if PUBLISHED_SLOPE:

        rule published_slope:
            input:
                slope_files=receipts(PUBLISHED.slope),
            output:
                slope=PUBLISHED_SLOPE,
            log:
                f"{RESULTS}/log/published-slope.log",
            benchmark:
                f"{RESULTS}/benchmark/published-slope.tsv"
            conda:
                "../../envs/source.yaml"
            resources:
                mem_mb=3000,
                runtime=minutes(120, near=2.0),
            params:
                run=RUN,
                settings=settings_of("published-slope"),
                code=code_of("published-slope"),
                inputs=inputs,
                outputs=outputs,
            shell:
                "python -m lunarsite published-slope --in {params.inputs:q} --out {params.outputs:q}"
                " --settings {params.settings:q} --run {params.run} --log {log}"

    if PSR_POLYGONS:

        rule outlines_psr:
            input:
                polygons_files=receipts(PUBLISHED.psr_polygons),
            output:
                polygons=PSR_POLYGONS,
            log:
                f"{RESULTS}/log/outlines-psr.log",
            benchmark:
                f"{RESULTS}/benchmark/outlines-psr.tsv"
            conda:
                "../../envs/source.yaml"
            resources:
                mem_mb=3000,
                runtime=30,
            params:
                run=RUN,
                settings=settings_of("outlines-psr"),
                code=code_of("outlines-psr"),
                inputs=inputs,
                outputs=outputs,
            shell:
                "python -m lunarsite outlines-psr --in {params.inputs:q} --out {params.outputs:q}"
                " --settings {params.settings:q} --run {params.run} --log {log}"

    if EXPERTS:

        rule outlines_experts:
            input:
                experts_files=receipts(PUBLISHED.experts),
            output:
                experts=EXPERTS,
            log:
                f"{RESULTS}/log/outlines-experts.log",
            benchmark:
                f"{RESULTS}/benchmark/outlines-experts.tsv"
            conda:
                "../../envs/source.yaml"
            resources:
                mem_mb=1000,
                runtime=20,
            params:
                run=RUN,
                settings=settings_of("outlines-experts"),
                code=code_of("outlines-experts"),
                inputs=inputs,
                outputs=outputs,
            shell:
                "python -m lunarsite outlines-experts --in {params.inputs:q} --out {params.outputs:q}"
                " --settings {params.settings:q} --run {params.run} --log {log}"

    if SHADOWCAM:

        rule images_shadowcam:
            input:
                shadowcam_files=receipts(PUBLISHED.shadowcam),
            output:
                shadowcam=f"{RESULTS}/source/shadowcam_{{part}}.tif",
            log:
                f"{RESULTS}/log/images-shadowcam_{{part}}.log",
            benchmark:
                f"{RESULTS}/benchmark/images-shadowcam_{{part}}.tsv"
            wildcard_constraints:
                part=r"[A-Za-z0-9._-]+",
            conda:
                "../../envs/source.yaml"
            resources:
                mem_mb=3000,
                runtime=120,
            params:
                run=RUN,
                settings=settings_of("images-shadowcam"),
                code=code_of("images-shadowcam"),
                inputs=inputs,
                outputs=outputs,
            shell:
                "python -m lunarsite images-shadowcam --in {params.inputs:q} --out {params.outputs:q}"
                " --settings {params.settings:q} --run {params.run} --part {wildcards.part} --log {log}"
