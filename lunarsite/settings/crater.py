"""Knobs of the crater room: what the given catalogue holds, tiles, training, detection."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lunarsite.settings.base import FilePath, Longitude, Positive, Section
from lunarsite.settings.learning import InferenceSettings, NetworkSettings, TrainingSettings

TilePixel = Annotated[float, Field(ge=1.0, le=10_000.0)]


class CatalogueSettings(Section):
    """What part of the map the given crater catalogue (source) covers, and from which size on."""

    lon_deg: tuple[Longitude, Longitude] = (-180.0, 180.0)
    """It covers the sector from the first longitude eastwards to the second, degrees; (-180, 180) is all of it."""
    least_diameter_m: Annotated[float, Field(ge=1.0, le=100_000.0)] = 1_000.0
    """It is complete from this diameter on, metres."""


class SplitSettings(Section):
    """Which ground trains, which tunes and which tests: sectors of longitude. What is in neither of them trains."""

    validation_lon_deg: tuple[Longitude, Longitude] = (115.0, 155.0)
    """Sector, from the first longitude eastwards to the second, that chooses epochs, thresholds and calibration."""
    test_lon_deg: tuple[Longitude, Longitude] = (40.0, 100.0)
    """Sector that is measured and nothing else."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        for name in ("validation_lon_deg", "test_lon_deg"):
            first, last = getattr(self, name)
            if (last - first) % 360.0 == 0.0:
                raise ValueError(
                    f"{name} [{first:g}, {last:g}] has no width, or is the whole circle; give a sector of more than 0"
                    " and less than 360 degrees"
                )
        first, width = self.validation_lon_deg[0], (self.validation_lon_deg[1] - self.validation_lon_deg[0]) % 360.0
        start, reach = self.test_lon_deg[0], (self.test_lon_deg[1] - self.test_lon_deg[0]) % 360.0
        if (start - first) % 360.0 < width or (first - start) % 360.0 < reach:
            raise ValueError("validation_lon_deg and test_lon_deg overlap")
        return self


class TileSettings(Section):
    """Tiles cut from the run's elevation model for training."""

    pixel_m: Annotated[tuple[TilePixel, ...], Field(min_length=1)] = (170.0, 240.0, 340.0, 480.0, 680.0)
    """Pixel sizes at which the map is tiled, map metres."""
    halo_px: Annotated[int, Field(ge=0, le=96)] = 32
    """Neighbouring tiles of one split overlap by twice this, pixels."""


class PretrainingTilesSettings(Section):
    """Tiles of other ground for a first training, unused with a pretrained model; null: train on the map alone."""

    images: FilePath | None = None
    """HDF5 of tiles in DeepMoon's layout."""
    craters: FilePath | None = None
    """HDF5 of the tiles' crater tables, where they lie in a file of their own, as DeepMoon's do."""
    least_diameter_px: Annotated[float, Field(ge=0.5, le=64.0)] = 2.0
    """The tables are complete from this diameter on, pixels of the tile, ..."""
    least_diameter_km: Annotated[float, Field(gt=0.0, le=100.0)] = 2.0
    """... and from this one, km. DeepMoon's own begin at 5 km."""

    @model_validator(mode="after")
    def _with_images(self) -> Self:
        if self.craters is not None and self.images is None:
            raise ValueError("craters names the crater tables of tiles, but images names no tiles; name both, or none")
        return self


class PretrainingSettings(TrainingSettings):
    """First training, on tiles of other ground (DeepMoon's layout)."""


class FinetuningSettings(TrainingSettings):
    """Second training, on the run's own map."""

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 10
    """Most epochs; the learning rate follows a half cosine over them."""
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 1e-3
    """Highest learning rate (AdamW)."""
    pretraining_share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.3
    """Share of crops that still come from the tiles of the first training."""


class DetectionSettings(Section):
    """From probabilities to craters."""

    least_diameter_m: Annotated[float, Field(ge=50.0, le=100_000.0)] = 1_400.0
    """Smallest crater that is looked for, metres; it sets the finest scale: the cost grows with its inverse square."""
    largest_diameter_m: Annotated[float, Field(ge=1_000.0, le=1_000_000.0)] = 100_000.0
    """Largest crater that is looked for, metres."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.least_diameter_m >= self.largest_diameter_m:
            raise ValueError(
                f"least_diameter_m ({self.least_diameter_m:g}) must be smaller than"
                f" largest_diameter_m ({self.largest_diameter_m:g})"
            )
        return self


class CraterSettings(Section):
    """Crater detection."""

    enabled: bool = True
    """Whether the run detects craters."""
    model: Literal["pretrained", "train"] = "pretrained"
    """'pretrained': the model that comes with lunarsite (or model_file); 'train': train one on this run's map."""
    model_file: FilePath | None = None
    """Another pretrained model, a safetensors file that an earlier run left."""
    pretraining_tiles: PretrainingTilesSettings = PretrainingTilesSettings()
    catalogue: CatalogueSettings = CatalogueSettings()
    split: SplitSettings = SplitSettings()
    tiles: TileSettings = TileSettings()
    network: NetworkSettings = NetworkSettings()
    pretraining: PretrainingSettings = PretrainingSettings()
    finetuning: FinetuningSettings = FinetuningSettings()
    inference: InferenceSettings = InferenceSettings()
    detection: DetectionSettings = DetectionSettings()

    @model_validator(mode="after")
    def _one_model(self) -> Self:
        if self.model == "train" and self.model_file is not None:
            raise ValueError(
                "model 'train' trains a model, so model_file would not be read; remove model_file to train, or set"
                " model to 'pretrained' to use the file"
            )
        return self


class CraterReferenceSettings(Section):
    """Agreement of the detected craters with the given catalogue, one to one."""

    least_diameters_m: Annotated[tuple[Positive, ...], Field(min_length=1)] = (3_000.0, 5_000.0)
    """Diameters from which on precision, recall and F1 are told, metres."""
    centre_tolerance: Annotated[float, Field(gt=0.0, le=2.0)] = 0.5
    """Centres match within this many radii of the catalogue's crater."""
    diameter_tolerance: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.35
    """Diameters match within this share of the catalogue's."""
    block_km: Annotated[float, Field(gt=0.0, le=500.0)] = 50.0
    """Side of the blocks that the bootstrap draws, km."""
    draws: Annotated[int, Field(ge=100, le=1_000_000)] = 1_000
    """Draws of the bootstrap."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 7
    """Seed of the bootstrap."""
    baselines: bool = False
    """Whether the classical detector and the model before fine-tuning are run and compared too: two more minutes."""
