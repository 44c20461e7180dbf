"""The CycleGAN as an enhancer: what it keeps, its errors, its file, and its sample pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lunarsite.artefact import ArtefactError
from lunarsite.artefact.contracts import CYCLE_MODEL
from lunarsite.artefact.model import Card
from lunarsite.settings import CycleSettings, SensorSettings
from lunarsite.stage import Job
from lunarsite.vision.enhance import cycle_measure
from lunarsite.vision.enhance.cycle_data import MOST_STANDARD
from lunarsite.vision.enhance.cycle_loop import Networks
from lunarsite.vision.enhance.cycle_measure import calibrate, sample
from lunarsite.vision.enhance.cycle_model import INPUTS, OUTPUTS, CycleEnhancer, CycleSpec, build_cycle
from lunarsite.vision.enhance.cycle_networks import GeneratorSpec
from lunarsite.vision.enhance.cycle_pictures import COLUMNS, Watch, grid, write_series
from lunarsite.vision.enhance.enhancer import load_cycle
from lunarsite.vision.learn import LearningError
from lunarsite.vision.learn.saved import rounded, save
from lunarsite.vision.learn.tiling import predict
from tests.unit.vision.enhance.made_scenes import TRAINING, VALIDATION, write_scenes

SPEC = CycleSpec(generator=GeneratorSpec(channels=4, blocks=2), variance=(1.5, 0.2, 0.01))
SENSOR = SensorSettings()


def made(spec: CycleSpec = SPEC, gain: float = 3.0) -> CycleEnhancer:
    torch.manual_seed(4)
    found = CycleEnhancer(spec)
    with torch.no_grad():
        for parameter in found.parameters():
            if parameter.ndim > 1:
                parameter.mul_(gain)
    return found.eval()  # type: ignore[no-any-return]


def test_mean_is_the_translation_and_variance_the_sum_of_its_parts() -> None:
    enhancer, image = made(), torch.randn(2, 1, 64, 96)
    with torch.inference_mode():
        found = enhancer(image)
        _, differing, changed = enhancer.parts(image)
        translated = enhancer.to_sunlit(image)
        passes = torch.stack([enhancer.to_sunlit(image, keep) for keep in enhancer.keep])
        residual = enhancer.residual(image)
    assert found.shape == (2, 2, 64, 96)
    assert torch.allclose(found[:, :1], translated, atol=1e-6)
    assert torch.allclose(differing, (passes - translated).square().mean(dim=0), atol=1e-6)
    square = (translated - image).square()[:, 0]
    assert float(changed[1, 0, 30, 40]) == pytest.approx(float(square[1, 23:38, 33:48].mean()), rel=1e-4)
    assert float(changed[0, 0, 0, 0]) == pytest.approx(float(square[0, :8, :8].mean()), rel=1e-4)
    assert torch.allclose(found[:, 1:], 1.5 * differing + 0.2 * changed + 0.01, rtol=1e-5)
    with torch.inference_mode():
        there_and_back = enhancer.to_shadowed(translated)
    assert torch.allclose(residual, (there_and_back - image).abs(), atol=1e-6)


def test_the_same_image_gives_the_same_bits_whatever_was_drawn_before() -> None:
    image = torch.randn(1, 1, 64, 64)
    first = made()(image)
    torch.manual_seed(99)
    assert torch.equal(first, made()(image))


def test_bright_ground_stays_as_bright_as_it_was() -> None:
    enhancer, image = made(), torch.zeros(1, 1, 64, 64)
    image[:, :, 30:34, 30:34] = 7.5
    with torch.inference_mode():
        found, cut = enhancer(image), enhancer(image.clamp(max=MOST_STANDARD))
    assert torch.allclose(found[:, 0, 31, 31] - cut[:, 0, 31, 31], torch.tensor(7.5 - MOST_STANDARD))
    assert torch.equal(found[:, 1], cut[:, 1])


def test_tiles_of_one_image_fit_together() -> None:
    enhancer = made(gain=8.0)
    image = np.random.default_rng(1).normal(0.0, 1.0, (1, 256, 256)).astype(np.float32)
    image[:, :, 100:] += 1.5
    whole = predict(enhancer, image, outputs=2, stride=1, tile_px=256, halo_px=64)
    tiled = predict(enhancer, image, outputs=2, stride=1, tile_px=96, halo_px=64)
    assert np.abs(whole[0] - image[0]).max() > 0.1
    assert np.abs(whole - tiled).max() < 1e-3 * np.abs(whole - image).max()


def test_a_file_rebuilds_the_network(tmp_path: Path) -> None:
    enhancer, image = rounded(made()), torch.randn(1, 1, 64, 64)
    card = Card(spec=SPEC.to_json(), inputs=INPUTS, classes=OUTPUTS)
    stamp = Job("enhance-cycle", "default", "code", "settings", origin="synthetic", git=(None, None)).stamp(CYCLE_MODEL)
    save(tmp_path / "cycle.safetensors", CYCLE_MODEL, enhancer, card, stamp)
    loaded = load_cycle(tmp_path / "cycle.safetensors")
    assert (loaded.name, loaded.outputs) == ("cycle", 2)
    assert torch.equal(loaded.network(image), enhancer(image))
    # A file that claims more networks than it holds, and one of another kind.
    save(tmp_path / "cycle.safetensors", CYCLE_MODEL, enhancer.to_sunlit, card, stamp)  # type: ignore[arg-type]
    with pytest.raises(ArtefactError, match="lacks weights"):
        load_cycle(tmp_path / "cycle.safetensors")
    with pytest.raises(LearningError, match="not one of a CycleGAN"):
        build_cycle({"generator": {"channels": 4, "blocks": 0}})


def test_the_models_of_the_default_settings_fit_into_a_repository(tmp_path: Path) -> None:
    settings = CycleSettings(attention=True)
    spec = CycleSpec(
        generator=GeneratorSpec(
            channels=settings.generator_channels, blocks=settings.generator_blocks, attention=True
        )
    )  # fmt: skip
    weights = sum(parameter.numel() for parameter in CycleEnhancer(spec).parameters())
    assert 2 * weights < 15e6


def test_weights_of_the_error_are_found_where_it_is_known() -> None:
    rng = np.random.default_rng(5)
    parts = np.stack((rng.gamma(2.0, 0.05, 40_000), rng.gamma(2.0, 0.5, 40_000), np.ones(40_000)))
    wanted = np.array([4.0, 0.3, 0.05])
    off = rng.standard_normal(40_000) * np.sqrt(wanted @ parts)
    weights, ratios = cycle_measure._fitted(off, parts)
    assert weights == pytest.approx(tuple(wanted), rel=0.25)
    assert np.mean(ratios <= 1.0) == pytest.approx(0.6827, abs=1e-3)
    assert np.mean(ratios <= 2.0) == pytest.approx(0.9545, abs=5e-3)
    # Parts that say nothing get no weight.
    off = rng.standard_normal(40_000) * np.sqrt(0.2)
    weights, _ = cycle_measure._fitted(off, parts)
    assert weights[2] == pytest.approx(0.2, rel=0.1)
    assert weights[1] * 0.5 < 0.02


def test_calibration_on_validation_scenes(tmp_path: Path) -> None:
    write_scenes(tmp_path / "scenes.h5", [TRAINING, VALIDATION, VALIDATION, VALIDATION])
    enhancer = made(CycleSpec(generator=SPEC.generator), gain=1.0)
    variance, measured = calibrate(enhancer, tmp_path / "scenes.h5", np.array([1, 2, 3]), SENSOR)
    assert all(weight >= 0.0 for weight in variance)
    assert measured["within_one"] == pytest.approx(0.6827, abs=2e-3)
    # Before any training the result is a smoothed image, which is closer to the truth than a noisy one.
    assert 0.0 < measured["square_low"] < measured["square_raw_low"]
    drawn = sample(tmp_path / "scenes.h5", 1, SENSOR)
    assert np.array_equal(drawn.image, sample(tmp_path / "scenes.h5", 1, SENSOR).image)
    assert sample(tmp_path / "scenes.h5", 1, SENSOR, 50.0).electrons == 50.0
    assert not drawn.weight[:8].any(), "overexposed ground does not count"
    enhancer.spec = enhancer.spec.model_copy(update={"variance": variance})
    with torch.inference_mode():
        mean, spread = enhancer(torch.from_numpy(drawn.image)[None, None])[0].numpy()
    off = np.abs(mean - drawn.truth)[drawn.weight > 0.0]
    assert 0.4 < np.mean(off <= np.sqrt(spread[drawn.weight > 0.0])) < 0.9


def test_sample_pictures_show_what_they_say(tmp_path: Path) -> None:
    write_scenes(tmp_path / "scenes.h5", [TRAINING, VALIDATION])
    torch.manual_seed(1)
    networks = Networks(CycleSettings(generator_channels=4, generator_blocks=1, discriminator_channels=4)).eval()
    watch = Watch(tmp_path / "scenes.h5", np.array([1]), SENSOR, tmp_path / "samples")
    with torch.inference_mode():
        for step in range(10, 100, 10):
            measured = watch(step, networks)
    levels = ("lowest", "middle", "highest")
    assert set(measured) == {f"square_{what}{level}" for what in ("", "raw_") for level in levels}
    assert measured["square_raw_lowest"] > measured["square_raw_highest"] > 0.0
    # An untrained generator smooths: that helps where noise rules.
    assert measured["square_lowest"] < 0.5 * measured["square_raw_lowest"]
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert names[0] == "step_0000010.png"
    assert len(names) == 9
    write_series(tmp_path / "samples", tmp_path / "series.png")
    with Image.open(tmp_path / "series.png") as series, Image.open(tmp_path / "samples" / names[-1]) as last:
        assert series.size == (last.width, 6 * last.height)
        bottom = series.crop((0, 5 * last.height, last.width, series.height))
        assert bottom.tobytes() == last.convert("L").tobytes()
    with pytest.raises(LearningError, match="holds no sample pictures"):
        write_series(tmp_path / "nowhere", tmp_path / "series.png")


def test_a_grid_puts_columns_side_by_side_in_one_grey_scale() -> None:
    levels = np.linspace(-2.5, 3.0, len(COLUMNS))
    columns = [np.full((2, 32, 32), level, np.float32) for level in levels]
    sheet = np.asarray(grid(columns, ["a", "b"], "step 1"))
    inner = sheet[16 + 4 + 20, 4 + 16 :: 36][: len(COLUMNS)]
    assert inner.tolist() == [round(255 * k / (len(COLUMNS) - 1)) for k in range(len(COLUMNS))]
