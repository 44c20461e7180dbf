"""Where data come from: the synthetic Moon, a user's own files, or published products; and how these are fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lunarsite.settings.base import FilePath, Section

ProductId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]{0,63}$")]
"""A product of resources/products.yaml."""
MirrorUrl = Annotated[str, Field(pattern=r"^https?://[^\s?#]+$", max_length=500)]


class SyntheticSettings(Section):
    """The seeded synthetic south pole."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1969
    """Seed of its population and relief."""
    crater_density: Annotated[float, Field(ge=0.0, le=4.0)] = 1.0
    """Density of random craters relative to the Moon's."""
    min_crater_diameter_m: Annotated[float, Field(ge=200.0, le=20_000.0)] = 700.0
    """Diameter of the smallest random crater, metres."""


class CatalogueColumns(Section):
    """Names of the crater catalogue's columns."""

    lon: Annotated[str, Field(min_length=1)] = "lon_deg"
    lat: Annotated[str, Field(min_length=1)] = "lat_deg"
    diameter: Annotated[str, Field(min_length=1)] = "diameter_m"
    depth: Annotated[str, Field(min_length=1)] = "depth_m"
    """A catalogue may lack this one."""


Band = Annotated[int, Field(ge=1, le=1_000)]


class CompositeBands(Section):
    """Which band of a user's ShadowCam composites holds what, from 1. It is never guessed."""

    brightness: Band | None = None
    """Brightness, in any unit. null: the files have one band."""
    saturated: Band | None = None
    """1 where the brightness is only known to be at least the number given, else 0. null: the files do not tell."""
    visibility_pct: Band | None = None
    """A published share of time with any part of the Sun in sight, percent, with which the brightness is compared,
    too. null: the files do not tell."""


class LocalSettings(Section):
    """A user's own data. Paths are relative to the folder in which snakemake is started."""

    dem: FilePath | None = None
    """Elevation model: one-band GeoTIFF in metres above the sphere of 1737.4 km, with a lunar CRS."""
    far_dem: FilePath | None = None
    """Coarser elevation model around it, for horizons beyond the near field's border."""
    elevation_error: FilePath | None = None
    """One-sigma height error of the elevation model, metres; without it terrain.elevation_error_m is used."""
    craters: FilePath | None = None
    """Crater catalogue, CSV with longitude, latitude, diameter and (optionally) depth, in columns named below."""
    craters_lon: Literal["-180..180", "0..360"] = "-180..180"
    """How the catalogue counts longitude, degrees east. It is never guessed."""
    craters_unit: Literal["m", "km"] = "m"
    """Unit of the catalogue's diameters and depths. It is never guessed."""
    craters_columns: CatalogueColumns = CatalogueColumns()
    fine_dems: tuple[FilePath, ...] = ()
    """Finer elevation models of parts of the map, for relief at the scale of a lander; they may overlap."""
    temperature: FilePath | None = None
    """Map of temperature, kelvin: one-band GeoTIFF with a lunar CRS."""
    ice_depth: FilePath | None = None
    """Map of the depth at which ice is stable, metres: one-band GeoTIFF with a lunar CRS."""
    scarps: FilePath | None = None
    """Lobate scarps: lines in any vector file, in the polar map or in longitude and latitude."""
    shadowcam: tuple[FilePath, ...] = ()
    """ShadowCam composites of permanently shadowed ground, which are compared with light as computed: GeoTIFFs with a
    lunar CRS; pixels finer than source.shadowcam.pixel_m are averaged."""
    shadowcam_bands: CompositeBands = CompositeBands()


class PublishedSettings(Section):
    """Published products, by their names in resources/products.yaml (`python -m lunarsite sources` lists them)."""

    dem: ProductId = "lola_dem_80s_80m"
    """Elevation model of the near field."""
    far_dem: ProductId | None = "lola_dem_60s_240m"
    """Coarser elevation model around it, for horizons beyond the near field's border."""
    elevation_error: ProductId | None = "lola_dem_80s_80m_error"
    """One-sigma height error of the near field; without it terrain.elevation_error_m is used."""
    craters: ProductId | None = "robbins_2018"
    """Crater catalogue."""
    fine_dems: tuple[ProductId, ...] = ()
    """Finer elevation models, for relief at the scale of a lander."""
    slope: ProductId | None = "lola_slope_80s_20m"
    """Fine slopes, with which the run's own are compared."""
    sun: tuple[ProductId, ...] = ("sun_85s_60m", "sun_75s_120m")
    """Average sunlight, the finest first: where one map has no data the next one stands in."""
    earth: tuple[ProductId, ...] = ("earth_85s_60m", "earth_75s_120m")
    """Earth view, the finest first."""
    psr: tuple[ProductId, ...] = ("psr_85s_60m", "psr_75s_120m")
    """Permanently shadowed ground, the finest first."""
    psr_polygons: ProductId | None = "psr_polygons_south"
    """Outlines of permanently shadowed regions."""
    experts: ProductId | None = "wueller_2026"
    """Sites that experts chose, with which the run's own are compared."""
    shadowcam: ProductId | None = None
    """ShadowCam images of permanently shadowed ground, with which light as computed is compared: shadowcam_cabeus, 10
    GiB."""
    rules_read: Literal["computed", "published"] = "computed"
    """Which maps of light, Earth view and permanent shadow the rules read; the others are compared with them."""

    @model_validator(mode="after")
    def _maps_named(self) -> Self:
        maps = {"sun": self.sun, "earth": self.earth, "psr": self.psr}
        lacking = [name for name, products in maps.items() if not products]
        if lacking and len(lacking) < len(maps):
            raise ValueError(f"sun, earth and psr are named together or not at all; {', '.join(lacking)} is empty")
        if lacking and self.rules_read == "published":
            raise ValueError("rules_read: 'published' needs sun, earth and psr")
        return self


class FetchSettings(Section):
    """Downloads of published products."""

    folder: FilePath = Path("resources")
    """Where downloads are kept, <folder>/<product>/<version>/; several runs share them."""
    offline: bool = False
    """Never touch the network: a product that is not there is an error that says where to put it."""
    mirrors: tuple[MirrorUrl, ...] = ()
    """Servers that are asked first, laid out as the folder is: <mirror>/<product>/<version>/<file>."""
    parallel: Annotated[int, Field(ge=1, le=16)] = 2
    """Files of a product that are fetched side by side."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 5
    """Tries of each address before the next one is asked."""
    connect_timeout_s: Annotated[float, Field(gt=0.0, le=600.0)] = 20.0
    """Longest wait for a connection, seconds."""
    read_timeout_s: Annotated[float, Field(gt=0.0, le=3_600.0)] = 60.0
    """Longest wait for the next bytes, seconds."""
    least_rate_kib_s: Annotated[float, Field(ge=0.0, le=1e6)] = 4.0
    """A transfer that is slower than this over read_timeout_s counts as broken, KiB/s."""
    longest_wait_s: Annotated[float, Field(ge=0.0, le=86_400.0)] = 600.0
    """Longest wait that a server may ask for (Retry-After), seconds; a longer one is an error that says so."""
    spare_disk_gib: Annotated[float, Field(ge=0.0, le=10_000.0)] = 1.0
    """Space that must stay free on the disk, GiB."""


class ShadowCamSettings(Section):
    """ShadowCam images, put on a grid of their own."""

    pixel_m: Annotated[float, Field(ge=1.0, le=960.0)] = 20.0
    """Pixel size on the polar map, metres; finer pixels are averaged."""


class ShadowCamFramesSettings(Section):
    """Map-projected ShadowCam frames with their times, which a person chooses on the publisher's page."""

    folder: FilePath | None = None
    """GeoTIFFs and a table images.csv of them: file, utc, subsolar_lat_deg, subsolar_lon_deg."""
    pixel_m: Annotated[float, Field(ge=1.0, le=960.0)] = 60.0
    """Pixel size on the polar map, metres; finer pixels are averaged, coarser ones kept."""


class RockImagesSettings(Section):
    """The rock dataset, which its publisher gives out to registered users only."""

    folder: FilePath | None = None
    """The unpacked dataset, with images/ and real_moon_images/ in it; null: what `sources` has fetched."""
    longest_side_px: Annotated[int, Field(ge=64, le=4_096)] = 720
    """Larger images are reduced to that, masks by their nearest pixel."""
    masks: Literal["clean", "ground", "either"] = "clean"
    """Masks of the renders: 'clean' leaves out tiny rocks, 'ground' has every one; 'either' takes the other kind where
    one is missing, which makes counts of small rocks differ from image to image."""
    most_unknown_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.02
    """A mask of which a larger share is far from every colour of the palette is refused."""


class PsrImagesSettings(Section):
    """Unpaired images of sunlit and of permanently shadowed ground.

    Enhancement learns from both kinds; those of sunlit ground are what the segmenter of rocks must call unfamiliar.
    """

    sunlit: FilePath | None = None
    """Folder of images of sunlit ground, one grey band: PNG, JPEG, TIFF, PDS3 IMG (LROC) or PDS4 (OHRC)."""
    shadowed: FilePath | None = None
    """Folder of images of shadowed ground; without one enhancement does not learn from the sunlit ones either."""
    tile_px: Annotated[int, Field(ge=32, le=1_024)] = 256
    """Side of the square tiles into which they are cut."""


class ArchiveSettings(Section):
    """Images of the ESA/Hubble and ESA/Webb archives, and survey cut-outs of the same sky."""

    sites: tuple[Literal["hubble", "webb"], ...] = ("hubble", "webb")
    """Archives that are read."""
    most_images: Annotated[int, Field(ge=1, le=100_000)] = 200
    """Images at most, newest pages first."""
    seconds_between_pages: Annotated[float, Field(ge=0.0, le=60.0)] = 1.0
    """Least time between two requests to one server, seconds; a robots.txt that asks for more is obeyed."""
    surveys: tuple[Literal["CDS/P/DSS2/color", "CDS/P/SDSS9/color"], ...] = ("CDS/P/DSS2/color", "CDS/P/SDSS9/color")
    """Surveys that cut-outs are asked of."""
    least_field_arcmin: Annotated[float, Field(ge=0.0, le=60.0)] = 0.5
    """Images with a smaller field of view are left out, arcminutes: the surveys are too coarse for them."""
    longest_side_px: Annotated[int, Field(ge=64, le=4_096)] = 1_024
    """Longer side of images and cut-outs, pixels."""


class SourceSettings(Section):
    """Where elevation comes from."""

    kind: Literal["synthetic", "local", "published"] = "synthetic"
    """'synthetic': the seeded synthetic Moon; 'local': files that source.local names; 'published':
    products of agencies, which are fetched."""
    synthetic: SyntheticSettings = SyntheticSettings()
    local: LocalSettings = LocalSettings()
    published: PublishedSettings = PublishedSettings()
    fetch: FetchSettings = FetchSettings()
    shadowcam: ShadowCamSettings = ShadowCamSettings()
    shadowcam_frames: ShadowCamFramesSettings = ShadowCamFramesSettings()
    rock_images: RockImagesSettings = RockImagesSettings()
    psr_images: PsrImagesSettings = PsrImagesSettings()
    archive: ArchiveSettings = ArchiveSettings()

    @model_validator(mode="after")
    def _dem_named(self) -> Self:
        if self.kind == "local" and self.local.dem is None:
            raise ValueError("local.dem: kind 'local' needs the path of an elevation model")
        return self
