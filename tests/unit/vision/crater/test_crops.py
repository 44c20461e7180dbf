"""Training crops: the same for the same index, with targets that lie where the ground shows the crater."""

from __future__ import annotations

import multiprocessing
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from lunarsite.artefact import tiles
from lunarsite.artefact.contracts import CRATER_TILES
from lunarsite.vision.crater import crops
from lunarsite.vision.crater.crops import NOMINAL_RELIEF_PX, CraterCrops, Share, crop, shares
from lunarsite.vision.crater.network import DIAMETERS_PX, STRIDE
from lunarsite.vision.crater.targets import SMALLEST_PX

from .ground import bowls, write_tiles

CROP, SIZE = 160, 256
X_PX, Y_PX, DIAMETER_PX = 121.3, 140.7, 22.0


def bowl_tile(folder: Path, **change: object) -> Path:
    """One tile with one bowl on level ground; its grey steps are metres of pixels of 240 m."""
    depth_px = bowls((SIZE, SIZE), np.array([X_PX]), np.array([Y_PX]), np.array([DIAMETER_PX]))
    image = np.rint(1.0 + 254.0 * (1.0 - depth_px / depth_px.min())).astype(np.uint8)
    height_m = (0.0, float(-240.0 * depth_px.min()))
    found = (np.array([X_PX]), np.array([Y_PX]), np.array([DIAMETER_PX]))
    return write_tiles(folder / "bowl.h5", image[None], [found], height_m=height_m, least_px=2.0, **change)  # type: ignore[arg-type]


def noise_tiles(path: Path, split: list[int], low: int = 1, **change: object) -> Path:
    images = np.random.default_rng(len(split)).integers(low, 256, (len(split), SIZE, SIZE)).astype(np.uint8)
    nothing = (np.zeros(0), np.zeros(0), np.zeros(0))
    return write_tiles(path, images, [nothing] * len(split), split=split, **change)  # type: ignore[arg-type]


def same(first: crops.Batch, second: crops.Batch) -> bool:
    return all(torch.equal(first[name].nan_to_num(-9.0), second[name].nan_to_num(-9.0)) for name in first)


def _item(data: CraterCrops, index: int, answers: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    answers.put({name: values.numpy() for name, values in data[index].items()})


def test_a_crop_is_a_function_of_seed_and_index_alone(tmp_path: Path) -> None:
    drawn = shares([(bowl_tile(tmp_path), 0.6), (noise_tiles(tmp_path / "n.h5", [0, 0, 0]), 0.4)], split=0)
    data = CraterCrops(drawn, 10, 64, seed=5)
    forwards = [data[index] for index in range(10)]
    other = CraterCrops(drawn, 99, 64, seed=5)
    assert all(same(other[index], forwards[index]) for index in reversed(range(10)))
    assert all(same(pickle.loads(pickle.dumps(data))[index], forwards[index]) for index in (3, 7))
    # The parent's files are open: a forked reader must open its own.
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    reader = context.Process(target=_item, args=(data, 4, answers))
    reader.start()
    found = {name: torch.from_numpy(values) for name, values in answers.get(timeout=120).items()}
    reader.join()
    assert same(found, forwards[4])
    assert not same(CraterCrops(drawn, 10, 64, seed=6)[4], forwards[4])
    data.close()
    assert same(data[4], forwards[4]), "a closed data set opens its files again"
    data.close()
    with pytest.raises(IndexError):
        data[10]


def test_targets_move_with_the_ground(tmp_path: Path) -> None:
    seen, zooms = 0, []
    with tiles.opened(bowl_tile(tmp_path), CRATER_TILES) as reader:
        for seed in range(80):
            item = crop(reader, 0, CROP, np.random.default_rng(seed))
            ground, centre = item["heights"][0].numpy(), item["centre"].numpy()
            if centre.max() < 0.5:
                continue  # the bowl is outside the crop, or larger than any of the four sizes
            index, row, col = np.unravel_index(int(centre.argmax()), centre.shape)
            if not (12 < row < CROP // STRIDE - 12 and 12 < col < CROP // STRIDE - 12):
                continue
            seen += 1
            # The middle of the ground below half of the depth, by pixels, is the bowl's.
            depth = np.nan_to_num(np.nanmax(ground) - ground)
            rows, cols = np.nonzero(depth > 0.5 * depth.max())
            assert (rows.mean() - 0.5) / STRIDE == pytest.approx(row, abs=0.75)
            assert (cols.mean() - 0.5) / STRIDE == pytest.approx(col, abs=0.75)
            # Half of the depth is reached at 0.707 radii.
            diameter_px = 2.0 * np.sqrt(rows.size / np.pi) / np.sqrt(0.5)
            drawn_px = DIAMETERS_PX[index] * 2.0 ** float(item["size"][index, row, col])
            assert drawn_px == pytest.approx(diameter_px, rel=0.05)
            zooms.append(drawn_px / DIAMETER_PX)
            # A crop blown up has deeper pixels in the same proportion, but for the jitter of the relief.
            assert 0.55 < depth.max() / (0.15 * drawn_px) < 1.7
    assert seen >= 20
    assert max(zooms) / min(zooms) > 1.4
    assert np.log2(min(zooms)) >= crops._ZOOM_OCTAVES[0] - 0.01


def test_without_a_draw_the_middle_of_the_tile_comes_as_it_is(tmp_path: Path) -> None:
    with tiles.opened(bowl_tile(tmp_path), CRATER_TILES) as reader:
        item = crop(reader, 0, CROP, None)
        image = reader.read(tiles.IMAGES, slice(0, 1))[0]
        high_m = float(reader.read("elev_max_m", slice(0, 1))[0])
    border = (SIZE - CROP) // 2
    middle = image[border : border + CROP, border : border + CROP].astype(np.float64)
    assert item["heights"][0].numpy() == pytest.approx((middle - 1.0) * high_m / 254.0 / 240.0, abs=1e-4)
    assert item["weight"].min() == 1.0


def test_unknown_ground_counts_nowhere_and_leaks_nowhere(tmp_path: Path) -> None:
    image = np.full((1, SIZE, SIZE), 200, dtype=np.uint8)
    image[:, :, :128], image[:, 100:104, 200:204] = 0, 0
    nothing = (np.zeros(0), np.zeros(0), np.zeros(0))
    path = write_tiles(tmp_path / "half.h5", image, [nothing], height_m=(0.0, 2540.0))
    unknown = 0
    with tiles.opened(path, CRATER_TILES) as reader:
        for seed in range(30):
            item = crop(reader, 0, 96, np.random.default_rng(seed))
            ground, weight = item["heights"][0].numpy(), item["weight"].numpy()
            blank = np.isnan(ground)
            unknown += blank.any()
            pooled = blank.reshape(48, 2, 48, 2).any(axis=(1, 3))
            assert np.array_equal(weight == 0.0, pooled)
            assert set(np.unique(weight)) <= {0.0, 1.0}
            if not blank.all():
                # Level ground at 199 steps of 10 m: mixed with the zeros of unknown ground it would sag.
                present = ground[~blank]
                assert np.ptp(present) < 0.01 * present.max()
    assert unknown > 10


@pytest.mark.parametrize("least_px", [2.0, 5.0, 8.0, 14.0])
def test_no_zoom_shows_large_craters_without_a_label(
    tmp_path: Path, least_px: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    zooms: list[float] = []
    pose = crops._pose

    def spy(rng: np.random.Generator, tile_px: int, crop_px: int, zoom: float):  # type: ignore[no-untyped-def]
        zooms.append(zoom)
        return pose(rng, tile_px, crop_px, zoom)

    monkeypatch.setattr(crops, "_pose", spy)
    with tiles.opened(noise_tiles(tmp_path / "n.h5", [0], least_px=least_px), CRATER_TILES) as reader:
        for seed in range(60):
            crop(reader, 0, 32, np.random.default_rng(seed))
    assert max(zooms) * least_px <= SMALLEST_PX + 1e-9
    assert max(zooms) > 0.7 * min(SMALLEST_PX / least_px, 2.0**1.5), "and it comes near to it"


def test_tiles_without_metres_get_the_nominal_relief(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image = np.clip(rng.normal(128.0, 30.0, (1, SIZE, SIZE)), 1, 255).astype(np.uint8)
    nothing = (np.zeros(0), np.zeros(0), np.zeros(0))
    nan = float("nan")
    path = write_tiles(tmp_path / "grey.h5", image, [nothing], height_m=(nan, nan))
    with tiles.opened(path, CRATER_TILES) as reader:
        item = crop(reader, 0, 224, None)
    # White noise is nearly all relief over 6 px.
    assert float(item["heights"].std()) == pytest.approx(NOMINAL_RELIEF_PX, rel=0.03)


def test_shares_and_splits_are_kept(tmp_path: Path) -> None:
    # Bright and dark tiles tell the files apart.
    bright = noise_tiles(tmp_path / "bright.h5", [0, 1, 0], low=250)
    dark = noise_tiles(tmp_path / "dark.h5", [0, 1, 1, 1], low=1)
    drawn = shares([(bright, 0.25), (dark, 0.75)], split=0)
    assert [share.chosen.tolist() for share in drawn] == [[0, 2], [0]]
    data = CraterCrops(drawn, 160, 32, seed=1)
    spread = np.array([float(data[index]["heights"].std() / data[index]["heights"].mean()) for index in range(160)])
    data.close()
    # Three standard errors of a share of a quarter among 160 are 0.1.
    assert float((spread < 0.1).mean()) == pytest.approx(0.25, abs=0.1)
    assert [share.chosen.tolist() for share in shares([(bright, 0.0), (dark, 1.0)], split=1)] == [[1, 2, 3]]


def test_without_tiles_there_is_nothing_to_draw(tmp_path: Path) -> None:
    assert shares([(noise_tiles(tmp_path / "n.h5", [0, 0]), 1.0)], split=1) == []
    with pytest.raises(ValueError, match="no tiles"):
        CraterCrops([], 4, 64, 0)
    assert len(CraterCrops([Share(tmp_path / "n.h5", np.array([0]), 1.0)], 4, 64, 0)) == 4
