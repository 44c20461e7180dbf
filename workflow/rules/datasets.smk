"""Data sets of images that learning reads: no part of a run, made by `snakemake datasets` or one by one."""

ROCK_SCENES = f"{RESULTS}/images/rocks.h5"
LANDFORM_IMAGES = f"{RESULTS}/images/landforms.h5"
ARCHIVE_INDEX = f"{RESULTS}/archive/index.parquet"
ARCHIVE_PAIRS = f"{RESULTS}/archive/pairs.h5"
REGIONS_READ = f"{RESULTS}/source/regions.csv"
SHADOWCAM_FRAMES = f"{RESULTS}/images/shadowcam_frames.h5"
PSR_IMAGES = f"{RESULTS}/images/psr.h5"
DEEPMOON = [f"{RESULTS}/images/deepmoon_{part}.h5" for part in ("train", "dev", "test")]


rule datasets:
    input:
        ROCK_SCENES,
        LANDFORM_IMAGES,
        ARCHIVE_PAIRS,
        DEEPMOON,
        REGIONS_READ,
        # What only a person can choose is made where a folder of it is named.
        SHADOWCAM_FRAMES if SETTINGS.source.shadowcam_frames.folder else [],
        PSR_IMAGES if SETTINGS.source.psr_images.sunlit else [],


rule images_rocks:
    input:
        rock_files=[] if SETTINGS.source.rock_images.folder else fetched("rocks"),
    output:
        scenes=ROCK_SCENES,
    log:
        f"{RESULTS}/log/images-rocks.log",
    benchmark:
        f"{RESULTS}/benchmark/images-rocks.tsv"
    conda:
        "../../envs/source.yaml"
    resources:
        mem_mb=3000,
        runtime=120,
    params:
        run=RUN,
        settings=settings_of("images-rocks"),
        code=code_of("images-rocks"),
        folder=folder_state(SETTINGS.source.rock_images.folder),
        inputs=inputs_if_any,
        outputs=outputs,
    shell:
        "python -m lunarsite images-rocks {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"


rule images_landforms:
    input:
        landform_files=fetched("hirise_landmarks_v3"),
    output:
        landforms=LANDFORM_IMAGES,
    log:
        f"{RESULTS}/log/images-landforms.log",
    benchmark:
        f"{RESULTS}/benchmark/images-landforms.tsv"
    conda:
        "../../envs/source.yaml"
    resources:
        mem_mb=3000,
        runtime=120,
    params:
        run=RUN,
        settings=settings_of("images-landforms"),
        code=code_of("images-landforms"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite images-landforms --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"


rule deepmoon_tiles:
    input:
        receipt=lambda wildcards: receipts(f"deepmoon_{wildcards.part}")[0],
    output:
        tiles=f"{RESULTS}/images/deepmoon_{{part}}.h5",
    log:
        f"{RESULTS}/log/source-deepmoon_{{part}}.log",
    benchmark:
        f"{RESULTS}/benchmark/source-deepmoon_{{part}}.tsv"
    wildcard_constraints:
        part="train|dev|test",
    conda:
        "../../envs/terrain.yaml"
    resources:
        mem_mb=3000,
        runtime=240,
    params:
        run=RUN,
        settings=settings_of("source-deepmoon"),
        code=code_of("source-deepmoon"),
        # The stage reads a user's files as well, which have no receipt: it is given the two of the product.
        inputs=lambda wildcards, input: [
            f"{kind}_file={Path(input.receipt).parent}/{wildcards.part}_{kind}.hdf5" for kind in ("images", "craters")
        ],
        outputs=outputs,
    shell:
        "python -m lunarsite source-deepmoon --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"


rule outlines_regions:
    input:
        regions_files=fetched("artemis_regions_2024"),
    output:
        regions=REGIONS_READ,
    log:
        f"{RESULTS}/log/outlines-regions.log",
    benchmark:
        f"{RESULTS}/benchmark/outlines-regions.tsv"
    conda:
        "../../envs/source.yaml"
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        run=RUN,
        settings=settings_of("outlines-regions"),
        code=code_of("outlines-regions"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite outlines-regions --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"


rule archive_index:
    input:
        products=ancient(PRODUCTS),
    output:
        index=ARCHIVE_INDEX,
    log:
        f"{RESULTS}/log/archive-index.log",
    benchmark:
        f"{RESULTS}/benchmark/archive-index.tsv"
    # Nodes of clusters often reach no network.
    localrule: True
    conda:
        "../../envs/source.yaml"
    resources:
        mem_mb=1000,
        runtime=1440,
        downloads=1,
    params:
        run=RUN,
        settings=settings_of("archive-index"),
        code=code_of("archive-index"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite archive-index --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"


rule archive_pairs:
    input:
        products=ancient(PRODUCTS),
        index=ARCHIVE_INDEX,
    output:
        pairs=ARCHIVE_PAIRS,
    log:
        f"{RESULTS}/log/archive-pairs.log",
    benchmark:
        f"{RESULTS}/benchmark/archive-pairs.tsv"
    localrule: True
    conda:
        "../../envs/source.yaml"
    resources:
        mem_mb=2000,
        runtime=2880,
        downloads=1,
    params:
        run=RUN,
        settings=settings_of("archive-pairs"),
        code=code_of("archive-pairs"),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite archive-pairs --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"


rule images_shadowcam_frames:
    input:
        frame_files=[] if SETTINGS.source.shadowcam_frames.folder else fetched("shadowcam_frames"),
    output:
        frames=SHADOWCAM_FRAMES,
    log:
        f"{RESULTS}/log/images-shadowcam-frames.log",
    benchmark:
        f"{RESULTS}/benchmark/images-shadowcam-frames.tsv"
    conda:
        "../../envs/source.yaml"
    resources:
        mem_mb=3000,
        runtime=120,
    params:
        run=RUN,
        settings=settings_of("images-shadowcam-frames"),
        code=code_of("images-shadowcam-frames"),
        folder=folder_state(SETTINGS.source.shadowcam_frames.folder),
        inputs=inputs_if_any,
        outputs=outputs,
    shell:
        "python -m lunarsite images-shadowcam-frames {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"


rule images_psr:
    output:
        images=PSR_IMAGES,
    log:
        f"{RESULTS}/log/images-psr.log",
    benchmark:
        f"{RESULTS}/benchmark/images-psr.tsv"
    conda:
        "../../envs/source.yaml"
    resources:
        mem_mb=3000,
        runtime=120,
    params:
        run=RUN,
        settings=settings_of("images-psr"),
        code=code_of("images-psr"),
        folder=folder_state(SETTINGS.source.psr_images.sunlit, SETTINGS.source.psr_images.shadowed),
        outputs=outputs,
    shell:
        "python -m lunarsite images-psr --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --log {log}"
