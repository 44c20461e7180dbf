"""Which published products a run needs, from its settings and the table of products."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import get_args

from lunarsite.artefact import ArtefactError
from lunarsite.settings import Settings, SettingsError
from lunarsite.settings.source import PublishedSettings
from lunarsite.source.products import Product

_MAPS = ("sun", "earth", "psr")
_SETS = "hirise_landmarks_v3", "deepmoon_train", "deepmoon_dev", "deepmoon_test", "artemis_regions_2024"
_ARCHIVES = {"hubble": "esahubble_images", "webb": "esawebb_images"}


def needed_products(settings: Settings) -> tuple[str, ...]:
    """Return the products that a run reads, in the order of the settings, each once; none unless it is a published run.

    A user's own table of light, outlines of shadow or experts' sites stand in for the published ones.
    """
    if settings.source.kind != "published":
        return ()
    return tuple(dict.fromkeys(name for _, name in named_products(settings)))


def named_products(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the setting and the product it names, for each that a published run reads."""
    published = settings.source.published
    own = settings.validation
    # What a user gives to compare with stands in for the published maps, unless the rules read these.
    unread = {
        **dict.fromkeys(_MAPS, own.illumination.table is not None and published.rules_read == "computed"),
        "psr_polygons": own.illumination.psr_polygons is not None,
        "experts": own.site.experts is not None,
    }
    for field in type(published).model_fields:
        if field == "rules_read" or unread.get(field, False):
            continue
        value = getattr(published, field)
        for name in value if isinstance(value, tuple) else (value,):
            if name is not None:
                yield f"source.published.{field}", name


def ways_out(name: str, product: Product) -> tuple[str, ...]:
    """Return the settings by which a run does without a product; none if no setting names it or none may be empty."""
    return tuple(way for setting in product.used_by if (way := _way(setting, name)))


def ways_without(settings: Settings, name: str) -> tuple[str, ...]:
    """Return the changes of a run's settings, all of them, that leave a product out of it; none if one is not possible.

    Unlike `ways_out` this looks at the settings that name the product in this run.
    """
    ways = [_way(setting, name) for setting, named in named_products(settings) if named == name]
    return tuple(ways) if all(ways) else ()


def _way(setting: str, name: str) -> str:
    """Return how a setting does without a product that it names; '' if it must name one."""
    key = setting.removeprefix("source.published.")
    field = PublishedSettings.model_fields.get(key)
    if field is not None and isinstance(field.default, tuple):
        all_or_none = "; if it is the last one, sun, earth and psr: []" if key in _MAPS else ""
        return f"{setting} without {name}{all_or_none}"
    return f"{setting}: null" if field is not None and type(None) in get_args(field.annotation) else ""


def image_names(product: Product) -> tuple[str, ...]:
    """Return the names, without suffix, of a product's GeoTIFFs or of those that are unpacked of its archives.

    Raises:
        ArtefactError: A pattern of what is unpacked leaves a name open, so that no rule can tell what it makes.
    """
    names = [PurePosixPath(name) for file in product.files for name in file.unpack or [file.name]]
    found = tuple(name.stem for name in names if name.suffix.lower() == ".tif")
    unnamed = [name for name in found if set(name) & set("*?[")]
    if unnamed:
        raise ArtefactError(
            f"'{product.title}' unpacks '{unnamed[0]}.tif': each image is a result of its own, so write out its name"
        )
    return found


def dataset_products(settings: Settings) -> tuple[str, ...]:
    """Return the products that `snakemake datasets` reads (workflow/rules/datasets.smk), which are no part of a run.

    A folder of rock images that the user names stands in for the published set. Frames of ShadowCam and images of
    shadowed ground are made of folders of the user alone.
    """
    source = settings.source
    rocks = () if source.rock_images.folder is not None else ("rocks",)
    archives = tuple(_ARCHIVES[site] for site in source.archive.sites)
    return (*rocks, *_SETS, *archives, *(("hips2fits",) if source.archive.surveys else ()))


def check_products(settings: Settings, products: Mapping[str, Product]) -> None:
    """Refuse settings that name a product which the table lacks, or of another purpose or pole than the run's.

    Raises:
        SettingsError: The message lists every such setting, with products that may be meant.
    """
    if settings.source.kind != "published":
        return
    pole = settings.grid.pole
    wrong = [
        f"  {setting}: {_why(setting, name, products)}"
        for setting, name in named_products(settings)
        if name not in products or setting not in products[name].used_by
    ]
    if wrong:
        raise SettingsError("the table of products does not hold what the settings name:\n" + "\n".join(wrong))
    away = [
        f"  {setting}: '{name}' ({products[name].title}) shows the {products[name].pole}"
        for setting, name in named_products(settings)
        if products[name].pole not in (pole, "both")
    ]
    if away:
        raise SettingsError(f"grid.pole: the run is at the {pole} pole, and these are not:\n" + "\n".join(away))


def _why(setting: str, name: str, products: Mapping[str, Product]) -> str:
    fitting = [other for other, product in products.items() if setting in product.used_by]
    if name in products:
        return f"'{name}' ({products[name].title}) is not for this; for it are: {', '.join(fitting) or 'none'}"
    near = get_close_matches(name, fitting, n=3, cutoff=0.4) or fitting
    return f"there is no product '{name}'; do you mean {' or '.join(near) or 'none of the table'}?"
