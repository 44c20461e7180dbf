"""Elevation, from the synthetic Moon, a user's files or published products. What follows does not know which."""

KIND = SETTINGS.source.kind
LOCAL = SETTINGS.source.local if KIND == "local" else None
PUBLISHED = SETTINGS.source.published if KIND == "published" else None
GIVEN = LOCAL or PUBLISHED
# Artefacts that not every run has: an empty list, which snakemake takes for no file, where it has not.
FAR_DEM = f"{RESULTS}/terrain/far_dem.tif" if GIVEN is None or GIVEN.far_dem else []
CRATERS = f"{RESULTS}/source/craters.parquet" if GIVEN is None or GIVEN.craters else []
ELEVATION_ERROR = f"{RESULTS}/terrain/elevation_error.tif"
FINE_DEMS = [f"{RESULTS}/source/fine_dem_{part}.tif" for part in range(len(GIVEN.fine_dems))] if GIVEN else []
RELIEF = f"{RESULTS}/terrain/relief.parquet" if FINE_DEMS else []
TEMPERATURE = f"{RESULTS}/source/temperature.tif" if LOCAL and LOCAL.temperature else []
ICE_DEPTH = f"{RESULTS}/source/ice_depth.tif" if LOCAL and LOCAL.ice_depth else []
SCARPS = f"{RESULTS}/source/scarps.parquet" if LOCAL and LOCAL.scarps else []
COMPOSITES = [f"{RESULTS}/source/shadowcam_{part}.tif" for part in range(len(LOCAL.shadowcam))] if LOCAL else []


include: "products.smk"
include: "fetch.smk"


if KIND == "synthetic":

    rule source_synthetic:
        input:
            named_features=f"{RESOURCES}/named_features.csv",
        output:
            dem=f"{RESULTS}/terrain/dem.tif",
            far_dem=FAR_DEM,
            craters=CRATERS,
            record=f"{RESULTS}/source/record.json",
        log:
            f"{RESULTS}/log/source-synthetic.log",
        benchmark:
            f"{RESULTS}/benchmark/source-synthetic.tsv"
        conda:
            "../../envs/terrain.yaml"
        threads: 2
        resources:
            mem_mb=memory(2000, near=20, far=20),
            runtime=minutes(30, near=10.0, far=10.0),
        params:
            run=RUN,
            settings=settings_of("source-synthetic"),
            code=code_of("source-synthetic"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite source-synthetic --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


include: "source_local.smk"
include: "source_published.smk"
include: "datasets.smk"
