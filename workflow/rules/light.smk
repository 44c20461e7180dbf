"""Light of a moment: scenes rendered in sunlight and in scattered light, and the light at each ShadowCam frame's time."""

ENHANCE = SETTINGS.enhance
LIT_SCENES = f"{RESULTS}/illumination/lit_scenes.h5" if ENHANCE.enabled else []
# Frames that a person chose (rule images_shadowcam_frames); an empty list where the run names none.
FRAMES = SHADOWCAM_FRAMES if SETTINGS.source.shadowcam_frames.folder else []
# Finer models are held whole: windows that a user gives, and none of those that cover the cap at 20 m.
LIT_FINE_DEMS = FINE_DEMS if LOCAL else []
FRAME_LIGHT = f"{RESULTS}/illumination/frame_light.h5" if FRAMES else []


if LIT_SCENES:

    rule light_scenes:
        input:
            dem=f"{RESULTS}/terrain/dem.tif",
            far_dem=FAR_DEM,
            fine_dems=LIT_FINE_DEMS,
        output:
            scenes=LIT_SCENES,
        log:
            f"{RESULTS}/log/light-scenes.log",
        benchmark:
            f"{RESULTS}/benchmark/light-scenes.tsv"
        conda:
            "../../envs/illumination.yaml"
        threads: 8
        resources:
            mem_mb=memory(2000, near=8, far=8),
            runtime=minutes(60, near=2.0),
        params:
            run=RUN,
            settings=settings_of("light-scenes"),
            code=code_of("light-scenes"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite light-scenes --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"


if FRAME_LIGHT:

    rule light_frames:
        input:
            frames=FRAMES,
            dem=f"{RESULTS}/terrain/dem.tif",
            far_dem=FAR_DEM,
            fine_dems=LIT_FINE_DEMS,
        output:
            light=FRAME_LIGHT,
        log:
            f"{RESULTS}/log/light-frames.log",
        benchmark:
            f"{RESULTS}/benchmark/light-frames.tsv"
        conda:
            "../../envs/illumination.yaml"
        threads: 8
        resources:
            mem_mb=memory(2000, near=8, far=8),
            runtime=minutes(60, near=2.0),
        params:
            run=RUN,
            settings=settings_of("light-frames"),
            code=code_of("light-frames"),
            inputs=inputs,
            outputs=outputs,
        shell:
            "python -m lunarsite light-frames --in {params.inputs:q} --out {params.outputs:q}"
            " --settings {params.settings:q} --run {params.run} --log {log}"
