"""What we want: every knob of a run, its unit, its bounds and its only default.

The tree is frozen and refuses unknown keys, so a typo fails before any work is done. `config.yaml` and
`config.schema.json` are generated from it (`lunarsite.config`), and a test holds the three together.
A stage receives only the sections that it names in its signature. This module must not know files, stages or science.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from lunarsite.settings.base import FilePath, Fraction, Metres, Positive
from lunarsite.settings.base import Section as Section
from lunarsite.settings.crater import CatalogueSettings as CatalogueSettings
from lunarsite.settings.crater import CraterReferenceSettings as CraterReferenceSettings
from lunarsite.settings.crater import CraterSettings as CraterSettings
from lunarsite.settings.crater import DetectionSettings as DetectionSettings
from lunarsite.settings.crater import FinetuningSettings as FinetuningSettings
from lunarsite.settings.crater import PretrainingSettings as PretrainingSettings
from lunarsite.settings.crater import PretrainingTilesSettings as PretrainingTilesSettings
from lunarsite.settings.crater import SplitSettings as SplitSettings
from lunarsite.settings.crater import TileSettings as TileSettings
from lunarsite.settings.enhance import CycleSettings as CycleSettings
from lunarsite.settings.enhance import DenoiserSettings as DenoiserSettings
from lunarsite.settings.enhance import DenoiserTrainingSettings as DenoiserTrainingSettings
from lunarsite.settings.enhance import EnhancementSettings as EnhancementSettings
from lunarsite.settings.enhance import EnhanceReferenceSettings as EnhanceReferenceSettings
from lunarsite.settings.enhance import EnhanceSettings as EnhanceSettings
from lunarsite.settings.enhance import LitScenesSettings as LitScenesSettings
from lunarsite.settings.enhance import SensorSettings as SensorSettings
from lunarsite.settings.enhance import ShadowCamReferenceSettings as ShadowCamReferenceSettings
from lunarsite.settings.learning import InferenceSettings as InferenceSettings
from lunarsite.settings.learning import NetworkSettings as NetworkSettings
from lunarsite.settings.learning import TrainingSettings as TrainingSettings
from lunarsite.settings.rock import RockAblationSettings as RockAblationSettings
from lunarsite.settings.rock import RockAugmentationSettings as RockAugmentationSettings
from lunarsite.settings.rock import RockCameraSettings as RockCameraSettings
from lunarsite.settings.rock import RockHazardSettings as RockHazardSettings
from lunarsite.settings.rock import RockInferenceSettings as RockInferenceSettings
from lunarsite.settings.rock import RockLearningSettings as RockLearningSettings
from lunarsite.settings.rock import RockNetworkSettings as RockNetworkSettings
from lunarsite.settings.rock import RockReferenceSettings as RockReferenceSettings
from lunarsite.settings.rock import RockRenderSettings as RockRenderSettings
from lunarsite.settings.rock import RockSettings as RockSettings
from lunarsite.settings.rock import RockSplitSettings as RockSplitSettings
from lunarsite.settings.rock import RockTrainingSettings as RockTrainingSettings
from lunarsite.settings.site import CrossValidationSettings as CrossValidationSettings
from lunarsite.settings.site import PlacingSettings as PlacingSettings
from lunarsite.settings.site import RankingSettings as RankingSettings
from lunarsite.settings.site import ReachSettings as ReachSettings
from lunarsite.settings.site import ReliefSettings as ReliefSettings
from lunarsite.settings.site import RuleSettings as RuleSettings
from lunarsite.settings.site import RulesSettings as RulesSettings
from lunarsite.settings.site import ScorerSettings as ScorerSettings
from lunarsite.settings.site import SiteSettings as SiteSettings
from lunarsite.settings.site import UncertaintySettings as UncertaintySettings
from lunarsite.settings.site import WeightsSettings as WeightsSettings
from lunarsite.settings.source import ArchiveSettings as ArchiveSettings
from lunarsite.settings.source import CatalogueColumns as CatalogueColumns
from lunarsite.settings.source import CompositeBands as CompositeBands
from lunarsite.settings.source import FetchSettings as FetchSettings
from lunarsite.settings.source import LocalSettings as LocalSettings
from lunarsite.settings.source import PsrImagesSettings as PsrImagesSettings
from lunarsite.settings.source import PublishedSettings as PublishedSettings
from lunarsite.settings.source import RockImagesSettings as RockImagesSettings
from lunarsite.settings.source import ShadowCamFramesSettings as ShadowCamFramesSettings
from lunarsite.settings.source import ShadowCamSettings as ShadowCamSettings
from lunarsite.settings.source import SourceSettings as SourceSettings
from lunarsite.settings.source import SyntheticSettings as SyntheticSettings

EphemerisDay = Annotated[dt.date, Field(ge=dt.date(1972, 1, 1), le=dt.date(2049, 12, 31))]
"""A day of the ephemeris: DE421's lunar orientation ends with 2049, and UTC has leap seconds since 1972."""
_LAST_DAY = dt.date(2050, 1, 1)
Kind = TypeVar("Kind", bound="Section")


class SettingsError(ValueError):
    """Settings that cannot be used; the message names each key, what it got and what it allows."""


class GridSettings(Section):
    """The run's map: pixels of the near field, cells that are scored, and the far field around them."""

    pole: Literal["south", "north"] = "south"
    """The pole at the map's origin."""
    pixel_m: Annotated[float, Field(gt=0.0, le=960.0)] = 240.0
    """Pixel size of the near field, map metres; divides cell_m."""
    half_width_m: Annotated[float, Field(ge=4_800.0, le=650_000.0)] = 304_000.0
    """The near field's upper-left corner is (-half_width_m, +half_width_m). LOLA's maps of 80 S have 304 000 m."""
    cell_m: Positive = 960.0
    """Size of a cell, map metres."""
    latitude_limit_deg: Annotated[float, Field(ge=60.0, lt=90.0)] = 80.0
    """Absolute latitude from which on cells are kept, degrees."""
    far_pixel_m: Annotated[float, Field(gt=0.0, le=5_000.0)] = 480.0
    """Pixel size of the far field (horizons only), map metres."""
    far_half_width_m: Annotated[float, Field(ge=4_800.0, le=1_500_000.0)] = 614_400.0
    """Half width of the far field, map metres."""

    @model_validator(mode="after")
    def _nested(self) -> Self:
        ratio = self.cell_m / self.pixel_m
        if abs(ratio - round(ratio)) > 1e-9:
            raise ValueError(f"cell_m ({self.cell_m:g}) must be a whole multiple of pixel_m ({self.pixel_m:g})")
        if self.far_half_width_m < self.half_width_m + self.cell_m:
            raise ValueError(
                f"far_half_width_m ({self.far_half_width_m:g}) must exceed half_width_m ({self.half_width_m:g})"
                f" by at least one cell ({self.cell_m:g})"
            )
        return self


class TerrainSettings(Section):
    """Slope, roughness and the elevation's error."""

    roughness_baseline_m: Annotated[float, Field(ge=5.0, le=5_000.0)] = 100.0
    """Radius of the window of the roughness, metres; at least one pixel is taken."""
    elevation_error_m: Annotated[float, Field(ge=0.0, le=500.0)] = 6.2
    """One-sigma height error where the product gives none, metres (the 240 m reference DEM against LOLA: 6.2 m)."""


class SpanSettings(Section):
    """The time over which light and Earth view are averaged."""

    start_utc: EphemerisDay = dt.date(2025, 1, 1)
    """First day (UTC), YYYY-MM-DD."""
    years: Annotated[float, Field(ge=0.1, le=60.0)] = 18.6
    """Length, Julian years; 18.6 is one cycle of the lunar nodes, less than a lunar month sees part of the sky only."""
    step_h: Annotated[float, Field(gt=0.0, le=24.0)] = 1.0
    """Time step, hours."""

    @model_validator(mode="after")
    def _inside(self) -> Self:
        _within_ephemeris(self.start_utc, 365.25 * self.years, "years")
        return self


def _within_ephemeris(start: dt.date, days: float, key: str) -> None:
    if start + dt.timedelta(days=days) > _LAST_DAY:
        raise ValueError(f"start_utc {start} plus {key} reaches beyond the ephemeris, which ends with 2049")


class PlacesSettings(Section):
    """Places whose light is told hour by hour: the best sites, and places that a run names."""

    table: FilePath | None = None
    """CSV of places: name, lon_deg, lat_deg."""
    start_utc: EphemerisDay = dt.date(2028, 1, 1)
    """First day (UTC), YYYY-MM-DD."""
    days: Annotated[float, Field(gt=0.0, le=7_000.0)] = 59.0
    """Length, days; 59 are two lunar days."""
    step_h: Annotated[float, Field(gt=0.0, le=24.0)] = 1.0
    """Time step, hours."""
    height_m: Annotated[float, Field(ge=0.0, le=1_000.0)] = 2.0
    """Height of the observer above the ground, metres."""
    best_sites: Annotated[int, Field(ge=0, le=200)] = 20
    """Best sites whose light is told in the same way, and that get a page of their own."""

    @model_validator(mode="after")
    def _inside(self) -> Self:
        _within_ephemeris(self.start_utc, self.days, "days")
        return self


class DarknessSettings(Section):
    """Nights and days at the best-lit pixel of each cell."""

    enabled: bool = True
    """Whether to walk through the span hour by hour (a second sweep, and about 0.1 ms per cell)."""
    least_lit_fraction: Fraction = 0.05
    """Cells lit for a smaller share of time are left out: their nights last for seasons."""


class IlluminationSettings(Section):
    """Sunlight, Earth visibility and permanent shadow from horizons."""

    span: SpanSettings = SpanSettings()
    azimuths: Annotated[int, Field(ge=8, le=3600)] = 360
    """Directions in which horizons are swept; permanent shadow needs more of them than averages do."""
    near_samples: Annotated[int, Field(ge=1, le=256)] = 32
    """Samples next to the observer that are marched exactly."""
    earth_step_deg: Annotated[float, Field(ge=0.1, le=2.0)] = 1.0
    """Spacing of the directions in which the Earth is seen, degrees."""
    observer_heights_m: Annotated[tuple[Metres, ...], Field(min_length=1)] = (0.0,)
    """Heights of the observer above the ground, metres. The first is the one that rules and features read."""
    months: bool = False
    """Whether to average by calendar month as well (twelve bands)."""
    shards: Annotated[int, Field(ge=1, le=360)] = 2
    """Jobs among which the azimuths are dealt out."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len({f"{height:.3f}" for height in self.observer_heights_m}) < len(self.observer_heights_m):
            raise ValueError("observer_heights_m must differ by a millimetre at least")
        if self.months and self.span.years < 1.0:
            raise ValueError(f"months needs a span of at least one year, got span.years {self.span.years:g}")
        if self.shards > self.azimuths:
            raise ValueError(f"shards ({self.shards}) must not exceed azimuths ({self.azimuths})")
        return self


class ArtemisSettings(Section):
    """Agreement with the Artemis III candidate regions."""

    selected: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (100, 500, 1000)
    """Numbers of top cells that are compared with the regions."""
    selected_sites: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (20, 100)
    """Numbers of best sites that are compared with the regions."""
    draws: Annotated[int, Field(ge=100, le=1_000_000)] = 2_000
    """Draws of each null."""
    match_km: Positive = 15.0
    """Distance of the reference system's 'region matched' count, km."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 7


class IlluminationReferenceSettings(Section):
    """Agreement of light, Earth view and permanent shadow with published references, where a run has them."""

    table: FilePath | None = None
    """CSV of cell means: x_m, y_m, avg_illumination_pct, earth_visibility_pct (and others, which are left alone)."""
    table_cell_m: Positive = 4_960.0
    """Side of the table's cells, map metres."""
    table_factor: Annotated[float, Field(gt=0.0, le=2.0)] = 1.0
    """What the table's percentages must be multiplied by to be percent of time."""
    table_rim_m: Annotated[float, Field(ge=0.0)] = 0.0
    """Cells closer than this to the table's border are left out: they may be means over a part of the cell only."""
    psr_polygons: FilePath | None = None
    """Vector file of permanently shadowed regions on the polar map."""
    psr_min_area_km2: Annotated[float, Field(ge=0.0)] = 5.0
    """Smallest region that the polygons hold, km2 in the map plane; ours are cut at the same size."""
    psr_x_min_m: float | None = None
    """The polygons hold regions whose centroid lies at or beyond this map x, metres; without it they are complete."""


class SiteReferenceSettings(Section):
    """Agreement of the sites with sites of others, where a run has them."""

    experts: FilePath | None = None
    """CSV of sites that experts chose: lon, lat, degrees east and north (further columns are left alone)."""
    rivals: FilePath | None = None
    """CSV of another system's sites: lon, lat, and score, if it has one (larger is better)."""
    selected: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (20, 100)
    """Numbers of best sites that are compared."""
    distances_km: Annotated[tuple[Positive, ...], Field(min_length=1)] = (2.0, 5.0, 10.0)
    """Distances within which two sites agree, km."""
    draws: Annotated[int, Field(ge=100, le=1_000_000)] = 2_000
    """Draws of the rotation null."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 7


class ValidateSettings(Section):
    """Verdicts."""

    illumination: IlluminationReferenceSettings = IlluminationReferenceSettings()
    artemis: ArtemisSettings = ArtemisSettings()
    crater: CraterReferenceSettings = CraterReferenceSettings()
    site: SiteReferenceSettings = SiteReferenceSettings()
    enhance: EnhanceReferenceSettings = EnhanceReferenceSettings()
    shadowcam: ShadowCamReferenceSettings = ShadowCamReferenceSettings()
    rock: RockReferenceSettings = RockReferenceSettings()


class PublishSettings(Section):
    """Report, figures and catalogue."""

    title: Annotated[str, Field(min_length=1, max_length=200)] = "Landing sites at the lunar south pole"
    figure_dpi: Annotated[int, Field(ge=50, le=600)] = 160
    """Resolution of PNG figures, dots per inch."""
    top_cells: Annotated[int, Field(ge=1, le=1_000)] = 20
    """Cells listed in the report."""


class Settings(Section):
    """All settings of a run."""

    run: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")] = "default"
    """The run's name; its results lie in results/<run>/."""
    grid: GridSettings = GridSettings()
    source: SourceSettings = SourceSettings()
    terrain: TerrainSettings = TerrainSettings()
    illumination: IlluminationSettings = IlluminationSettings()
    darkness: DarknessSettings = DarknessSettings()
    places: PlacesSettings = PlacesSettings()
    crater: CraterSettings = CraterSettings()
    enhance: EnhanceSettings = EnhanceSettings()
    rock: RockSettings = RockSettings()
    site: SiteSettings = SiteSettings()
    validation: ValidateSettings = ValidateSettings()
    publish: PublishSettings = PublishSettings()

    @model_validator(mode="after")
    def _trainable(self) -> Self:
        trains = self.crater.enabled and self.crater.model == "train"
        if trains and self.source.kind == "local" and self.source.local.craters is None:
            raise ValueError("crater.model: 'train' needs a crater catalogue; name one in source.local.craters")
        if trains and self.source.kind == "published" and self.source.published.craters is None:
            raise ValueError("crater.model: 'train' needs a crater catalogue; name one in source.published.craters")
        return self

    @model_validator(mode="after")
    def _readable(self) -> Self:
        published = self.source.kind == "published" and self.source.published.rules_read == "published"
        if published and self.site.rules.illumination != "any":
            raise ValueError(
                "source.published.rules_read: the published maps tell when any part of the Sun or the Earth is seen;"
                " set site.rules.illumination: any"
            )
        return self


def parse(config: Mapping[str, Any]) -> Settings:
    """Return the settings that a configuration gives, defaults filled in.

    Raises:
        SettingsError: A key is unknown, of the wrong type or out of its bounds; the message lists all of them.
    """
    return _checked(Settings, config)


def parse_section(section: type[Section], text: str) -> Section:
    """Return one section from its JSON text.

    Raises:
        SettingsError: The text is no JSON, or does not fit the section.
    """
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsError(f"{section.__name__}: not JSON: {error}") from error
    return _checked(section, values)


def section_path(section: type[Section]) -> str:
    """Return the dotted path of a section's class in the tree, such as 'illumination.span'.

    Raises:
        SettingsError: The class stands nowhere or more than once in the tree, so it names no single section.
    """
    paths = [path for path, kind in _sections(Settings, "") if kind is section]
    if len(paths) != 1:
        raise SettingsError(f"{section.__name__} stands {len(paths)} times in Settings, once is needed")
    return paths[0]


def at(settings: Settings, path: str) -> Any:
    """Return the value at a dotted path."""
    value: Any = settings
    for key in path.split("."):
        value = getattr(value, key)
    return value


def _sections(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, type[Section]]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield f"{prefix}{name}", kind
            yield from _sections(kind, f"{prefix}{name}.")


def _checked(kind: type[Kind], values: Any) -> Kind:
    # Strict JSON rules: "240" is no number and 1 is no boolean, while lists are tuples and texts are paths.
    text = json.dumps(values, default=str)  # YAML reads an unquoted 2025-01-01 as a date
    try:
        return kind.model_validate_json(text, strict=True)
    except ValidationError as error:
        lines = [_explain(kind, issue) for issue in error.errors(include_url=False)]
        raise SettingsError("the settings do not hold:\n" + "\n".join(f"  {line}" for line in lines)) from error


def _explain(kind: type[BaseModel], issue: Any) -> str:
    path = ".".join(str(part) for part in issue["loc"]) or "(root)"
    if issue["type"] == "extra_forbidden":
        known = ", ".join(_keys_beside(kind, issue["loc"]))
        return f"{path}: no such key; allowed are: {known}"
    return f"{path}: {issue['msg']} (got {issue.get('input')!r})"


def _keys_beside(kind: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    model: Any = kind
    for part in location[:-1]:
        field = model.model_fields.get(part) if isinstance(part, str) else None
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            break
        model = field.annotation
    return list(model.model_fields)
