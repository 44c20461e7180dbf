"""The comparison with ShadowCam from the command line, on made-up composites and frames."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from lunarsite.artefact import contracts, images, raster, record
from lunarsite.artefact.images import Credit
from lunarsite.command import main
from lunarsite.grid import Grid
from tests.unit.artefact.conftest import make_stamp

RUN = Grid(-48_000.0, 48_000.0, 240.0, 400, 400)
COMPOSITE = Grid(-9_000.0, 12_000.0, 60.0, 80, 90)
FRAMES = (Grid(-12_000.0, 9_000.0, 60.0, 100, 120), Grid(-10_800.0, 8_400.0, 60.0, 110, 100))
SIDES = {"height": 110, "width": 120}
CREDIT = Credit(title="Made-up frames", licence="none", citation="nobody")
SETTINGS = {"reference": {"draws": 100, "block_km": 0.6, "frame_block_km": 1.2, "most_shift_px": 2}}
MAPS = ("psr", "sun_any")


def field(grid: Grid, seed: int, size: float) -> NDArray[np.float64]:
    values = gaussian_filter(np.random.default_rng(seed).normal(size=grid.shape), size)
    return np.asarray(values / values.std())


class Made:
    """Files of a made-up run."""

    def __init__(self, folder: Path, origin: str) -> None:
        self.folder, self.origin = folder, origin
        sun = np.maximum(field(RUN, 1, 4.0), 0.0).astype(np.float32) / 10.0
        self.raster("sun_any", contracts.SUN_ANY, RUN, {contracts.SUN_ANY.bands[0].name: sun})
        self.raster("psr", contracts.PSR, RUN, {"psr": (sun == 0.0).astype(np.uint8)})
        self._composite(sun)
        self._frames()

    def path(self, name: str) -> Path:
        return self.folder / f"{name}{'.h5' if name in ('frames', 'light', 'samples') else '.tif'}"

    def stamp(self, name: str) -> object:
        return make_stamp(name, origin=self.origin, stage=f"test-{name}")

    def raster(self, name: str, spec, grid: Grid, bands: dict[str, NDArray]) -> None:
        raster.write(self.path(name), spec, grid, bands, self.stamp(spec.name))

    def _composite(self, sun: NDArray[np.float32]) -> None:
        row, col = RUN.index(*np.meshgrid(COMPOSITE.x_m(), COMPOSITE.y_m()))
        under = sun[row, col]
        brightness = (0.02 + under + 0.01 * np.random.default_rng(2).random(COMPOSITE.shape)).astype(np.float32)
        saturated = brightness > 0.12
        bands = {
            "brightness": np.minimum(brightness, 0.12),
            "saturated_share": saturated.astype(np.float32),
            "published_sun_any": under,
        }
        self.raster("composite", contracts.SHADOWCAM, COMPOSITE, bands)
        blank = np.full(COMPOSITE.shape, np.nan, np.float32)
        bands = {"brightness": brightness, "saturated_share": blank, "published_sun_any": blank}
        self.raster("untold", contracts.SHADOWCAM, COMPOSITE, bands)

    def _frames(self, light_name: str = "light", wrong: str = "") -> None:
        stamps = {"frames": contracts.SHADOWCAM_FRAMES, "light": contracts.FRAME_LIGHT}
        with (
            images.creating(
                self.path("frames"), stamps["frames"], self.stamp("shadowcam_frames"), CREDIT, SIDES
            ) as seen,
            images.creating(self.path(light_name), stamps["light"], self.stamp("frame_light"), CREDIT, SIDES) as light,
        ):
            for number, grid in enumerate(FRAMES):
                fraction = np.clip(field(grid, 3 + number, 5.0), 0.0, 1.0)
                brightness = 0.02 + 0.5 * fraction
                brightness[fraction > 0.6] = np.nan
                height = field(grid, 9, 5.0)
                shared = {
                    "frame": np.array([f"M{number}S{wrong}"], dtype=object),
                    "rows": np.array([grid.rows]),
                    "cols": np.array([grid.cols]),
                    "x_min_m": np.array([grid.x_min_m]),
                    "y_max_m": np.array([grid.y_max_m]),
                    "pixel_m": np.array([grid.pixel_m]),
                }
                stacks = {
                    "sun_fraction": fraction,
                    "sunlit": 0.1 * fraction,
                    "scattered": 0.02 + 0.001 * np.abs(height),
                    "unshadowed": np.maximum(height, 0.0),
                    "elevation": height,
                }
                padded = {name: self._padded(values) for name, values in stacks.items()}
                light.append({**shared, **padded, "dem_pixel_m": np.array([240.0])})
                seen.append(
                    {
                        **shared,
                        "frame": np.array([f"M{number}S"], dtype=object),
                        "brightness": self._padded(brightness),
                        "utc": np.array(["2023-01-03T00:07:43Z"], dtype=object),
                        "subsolar_lon_deg": np.array([49.0]),
                        "subsolar_lat_deg": np.array([-1.4]),
                    }
                )

    @staticmethod
    def _padded(values: NDArray[np.float64]) -> NDArray[np.float32]:
        whole = np.full((1, SIDES["height"], SIDES["width"]), np.nan, np.float32)
        whole[0, : values.shape[0], : values.shape[1]] = values
        return whole

    def call(self, inputs: tuple[str, ...], out: Path, *, pictures: bool = True) -> int:
        given = [f"{(pair := name.split('='))[0]}={self.path(pair[-1])}" for name in inputs]
        outputs = [f"record={out / 'shadowcam.json'}", *([f"samples={out / 'samples.h5'}"] if pictures else [])]
        arguments = ["validate-shadowcam", "--run", "default", "--settings", json.dumps(SETTINGS)]
        return main([*arguments, "--in", *given, "--out", *outputs])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("run"), "local")


def test_composites_and_frames_are_judged_and_shown(made: Made, tmp_path: Path) -> None:
    names = ("composites=composite", "composites=untold", *MAPS, "frames", "light")
    assert made.call(names, tmp_path) == 0
    found, stamp = record.read(tmp_path / "shadowcam.json", contracts.SHADOWCAM_RECORD)
    assert stamp.origin == "local"
    rows = {(row["composite"], row["map"]): row for row in found.tables["composites"]}
    assert set(rows) == {("composite", "computed"), ("composite", "published"), ("untold", "computed")}
    assert rows["composite", "computed"]["auc"] > 0.95
    assert rows["composite", "computed"]["auc"] == pytest.approx(rows["composite", "published"]["auc"])
    assert rows["composite", "computed"]["saturated_share"] > 0.0
    assert rows["untold", "computed"]["saturated_share"] is None
    assert rows["composite", "published"]["null_kind"] == "moved round the composite's own frame"
    frames = found.tables["frames"]
    assert [row["frame"] for row in frames] == ["M0S", "M1S"]
    assert all(row["auc"] > 0.99 for row in frames)
    assert [row["other_moment"] for row in frames] == ["M1S", "M0S"]
    assert all(row["auc_on_its_ground"] > 0.95 > row["auc_other_moment"] for row in frames)
    assert found.metric("frame_auc") > 0.99
    with images.opened(tmp_path / "samples.h5", contracts.SHADOWCAM_SAMPLES) as shown:
        assert list(shown.read("name")) == ["composite", "untold", "M0S", "M1S"]
        assert list(shown.read("kind")) == [0, 0, 1, 1]
        classes = shown.read("classes")
        assert (classes[2] == 1).sum() > (classes[2] == 2).sum() + (classes[2] == 3).sum()
        assert "Made-up frames: none" in shown.credit.licence
    again = tmp_path / "again"
    again.mkdir()
    assert made.call(names, again) == 0
    for name in ("shadowcam.json", "samples.h5"):
        assert (again / name).read_bytes() == (tmp_path / name).read_bytes()


def test_published_shadow_is_a_map_of_its_own(made: Made, tmp_path: Path) -> None:
    assert made.call(("composites=untold", *MAPS, "published_psr=psr"), tmp_path, pictures=False) == 0
    found, _ = record.read(tmp_path / "shadowcam.json", contracts.SHADOWCAM_RECORD)
    rows = {row["map"]: row for row in found.tables["composites"]}
    assert rows["published"]["null_kind"] == "turned about the pole"
    assert rows["published"]["auc"] == rows["computed"]["auc"]
    assert rows["published"]["spearman_sunlight"] is None
    assert "frames" not in found.tables
    assert not (tmp_path / "samples.h5").exists()


def test_a_synthetic_run_claims_nothing(tmp_path: Path) -> None:
    made = Made(tmp_path, "synthetic")
    assert made.call(("composites=composite", *MAPS, "frames", "light"), tmp_path) == 0
    found, _ = record.read(tmp_path / "shadowcam.json", contracts.SHADOWCAM_RECORD)
    assert {verdict.holds for verdict in found.verdicts} == {None}


def test_inputs_that_do_not_belong_together_are_refused(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert made.call(MAPS, tmp_path) != 0
    assert "neither composites nor frames" in capsys.readouterr().err
    assert made.call((*MAPS, "frames"), tmp_path) != 0
    assert "given together or not at all" in capsys.readouterr().err
    other = Made(tmp_path, "local")
    other._frames("light", wrong="x")
    assert other.call((*MAPS, "frames", "light"), tmp_path) != 0
    assert "its 'frame' is not that of" in capsys.readouterr().err
    assert not (tmp_path / "shadowcam.json").exists()
