"""What the report says in words: facts, summary, captions, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import Origin
from lunarsite.publish import crater_story, enhance_story, score_story, site_story
from lunarsite.publish.polar_map import Feature
from lunarsite.publish.report import Picture, embed, nearest
from lunarsite.publish.rock import story as rock_story
from lunarsite.publish.words import latitude_words, longitude_words, number_words
from lunarsite.settings import GridSettings, RulesSettings

SOURCES = (
    "Artemis III candidate regions of 2024: USGS data release, doi 10.5066/P1MEQ6UK (public domain).",
    "Names of craters: IAU Gazetteer of Planetary Nomenclature; other places: see the features' table.",
    "Slope: Horn 1981 (Proc. IEEE 69, 14). SHAP: Lundberg and Lee 2017 (NeurIPS 30).",
    "p-values: Davison and Hinkley 1997 (Bootstrap Methods and their Application, p. 141).",
    "Differences: PuOr of ColorBrewer, Harrower and Brewer 2003 (Cartogr. J. 40, 27).",
    "ShadowCam: Robinson et al. 2023 (J. Astron. Space Sci. 40, 149); NASA, KARI, Arizona State University.",
    "Networks: CycleGAN, Zhu et al. 2017 (ICCV); deep ensembles, Lakshminarayanan et al. 2017 (NeurIPS 30).",
    "Craters: LU1319381, Wu et al. 2022 (Geophys. Res. Lett. 49, e2022GL100886), where it is the given catalogue.",
    "Colours: Okabe and Ito 2008; cividis, Nuñez et al. 2018 (PLoS ONE 13, e0199239).",
)
_LIMITS = (
    "Nothing here knows dust, communication by relay, propellant, or the way to and from a site.",
    "A good rank says that a cell passes simple rules well; it is not a recommendation to land.",
)
_LIGHT = {
    "night": (
        "Map of the longest night of each cell; short on ridges and rims, long where ground lies low.",
        "Longest unbroken time without any part of the Sun, at the best-lit pixel of each cell. Cells that are hardly"
        " ever lit are left out, in grey: their nights last for seasons.",
    ),
    "sun_and_earth": (
        "Map of the hours per year with Sun and Earth in view together; most towards the near side, at the top.",
        "Hours per year in which both any part of the Sun and any part of the Earth are in view, at the same pixels.",
    ),
    "light_differences": (
        "Four maps of our averages minus the published ones, for Sun and Earth in two definitions each, in one"
        " diverging colour scale about zero.",
        "Ours minus published, cell by cell of the reference. 'Mean disc' is the mean visible fraction of the disc,"
        " 'any part' the share of time with any part of it in view.",
    ),
    "light_scatter": (
        "Four charts of our averages against the published ones, for Sun and Earth in two definitions each, with the"
        " line on which both are equal.",
        "Ours against published, one dot for each cell of the reference. The numbers are the record's.",
    ),
}
"""Alternative texts and captions of the figures that only some runs have."""
_ORIGINS = {
    "synthetic": "elevation from the seeded synthetic south pole of this project",
    "local": "elevation from files given by the user",
    "published": "elevation from published products",
}


@dataclass(frozen=True)
class Fact:
    """A number that the summary shows large."""

    name: str
    value: str
    note: str = ""


def limits(grid: GridSettings) -> tuple[str, ...]:
    """Return what the report does not say."""
    return (
        f"Cells are {grid.cell_m:g} m wide, pixels {grid.pixel_m:g} m. Boulders and small craters are not resolved, nor"
        " are slopes at the scale of a lander but where a finer elevation model covers a cell.",
        *_LIMITS,
    )


def facts(scores: pd.DataFrame, sites: pd.DataFrame, features: Sequence[Feature]) -> tuple[Fact, ...]:
    """Return the numbers at the head of the report."""
    known = scores[scores["rank"] > 0]
    passing = int((scores["label"] == "suitable").sum())
    unknown = len(scores) - len(known)
    found = [
        Fact("Cells with a rank", number_words(len(known)), f"of {number_words(len(scores))}"),
        Fact("Cells that pass the rule", number_words(passing), _percent(passing, len(known), "of those with a rank")),
        Fact("Cells unknown", number_words(unknown), _percent(unknown, len(scores), "of all")),
    ]
    if len(known):
        best = known.iloc[int(known["rank"].argmin())]
        lat, lon = float(best["lat"]), float(best["lon"])
        found.append(Fact("Best cell", _place(lon, lat), nearest(features, lon, lat)))
    pieces = int(sites["piece_id"].nunique())
    on = f"on {number_words(pieces)} {'piece' if pieces == 1 else 'pieces'} of contiguous good ground"
    found.append(Fact("Sites", number_words(len(sites)), on if len(sites) else "no ground is good enough"))
    if len(sites):
        first = sites.iloc[int(sites["rank"].argmin())]
        lat, lon = float(first["lat"]), float(first["lon"])
        found.append(Fact("Best site", _place(lon, lat), nearest(features, lon, lat)))
    return tuple(found)


def _place(lon_deg: float, lat_deg: float) -> str:
    return f"{latitude_words(lat_deg, 2)}, {longitude_words(lon_deg, 2)}"


def _percent(part: int, whole: int, words: str) -> str:
    return f"{100.0 * part / whole:.2g} % {words}" if whole else ""


def summary(rules: RulesSettings, target: str, grid: GridSettings) -> tuple[str, ...]:
    """Return the sentences that say what was asked."""
    rule = rules.named()[target]
    light = "any part of the Sun" if rules.illumination == "any" else "the mean part of the Sun's disc"
    buffer = f", {rule.slope_buffer_m:g} m away from steeper ground" if rule.slope_buffer_m else ""
    return (
        f"The {target.upper()} rule asks of a cell a mean slope of at most {rule.max_slope_deg:g}°{buffer}, sunlight"
        f" ({light}) for at least {rule.min_illumination_pct:g} % of the time, and the Earth in view for at least"
        f" {rule.min_earth_visibility_pct:g} % of it. The score learns the probability that a cell meets it, given how"
        " uncertain elevation, light and Earth view are.",
        f"Elevation has pixels of {grid.pixel_m:g} m, cells are {grid.cell_m:g} m wide and lie poleward of"
        f" {grid.latitude_limit_deg:g}° {'S' if grid.pole == 'south' else 'N'}.",
    )


def tally(records: Sequence[Record]) -> str:
    """Return how many claims hold, do not hold and are unknown, in one sentence."""
    verdicts = [verdict.holds for record in records for verdict in record.verdicts]
    if not verdicts:
        return "No claim was put to a test."
    holds, fails, unknown = (sum(v is state for v in verdicts) for state in (True, False, None))
    return (
        f"Of {len(verdicts)} claims {holds} {_verb(holds, 'holds', 'hold')}, {fails}"
        f" {_verb(fails, 'does', 'do')} not hold and {unknown} {_verb(unknown, 'is', 'are')} unknown."
    )


def _verb(count: int, one: str, many: str) -> str:
    return one if count == 1 else many


def extent_words(grid: GridSettings, origin: Origin) -> str:
    """Return what part of the Moon the run covers and where its elevation comes from."""
    pole = "south" if grid.pole == "south" else "north"
    return f"lunar {pole} pole, poleward of {grid.latitude_limit_deg:g}°; {_ORIGINS[origin]}."


def pictures(paths: Mapping[str, Path], scores: pd.DataFrame, rules: RulesSettings) -> dict[str, Picture]:
    """Embed the figures with their alternative texts and captions."""
    passing, known = int((scores["label"] == "suitable").sum()), int((scores["rank"] > 0).sum())
    light = "any part of the Sun is" if rules.illumination == "any" else "the Sun's disc is on average"
    words = {
        "score_map": (
            f"Map of the pole in stereographic projection: {known} ranked cells coloured by rank over shaded relief,"
            f" {passing} cells pass the rule, the ten best are numbered, the Artemis regions outlined.",
            "Score of the cells as rank among all known cells, over shaded relief. The table below lists the best.",
        ),
        "close_up": (
            "The same map, enlarged where most of the ten best cells lie.",
            "Close-up of the square that holds most of the ten best cells.",
        ),
        "elevation": ("Map of elevation with shaded relief.", "Elevation above the sphere of 1737.4 km."),
        "slope": ("Map of slope, flat floors dark, crater walls bright.", "Slope over the pixels' true lengths."),
        "sun": (
            f"Map of the share of time for which {light} in view; ridges and rims bright, crater floors dark.",
            "Sunlight as the rule reads it, at the height and over the time span of the settings.",
        ),
        "earth": (
            "Map of the share of time for which the Earth is in view; bright towards the near side, at the top.",
            "Earth view as the rule reads it: direct radio contact needs it.",
        ),
        "psr": (
            "Map of permanently shadowed ground, in blue over shaded relief.",
            "Ground that no part of the Sun reaches: its highest limb of the years 1972 to 2049 stays below the"
            " horizon, whatever time span the maps of light average.",
        ),
        "shap": (
            "Chart of SHAP values: bars of their mean size by feature, and dots for single cells.",
            "What drives the score. Left: mean size of each feature's SHAP values; right: single cells, coloured by the"
            " feature's value.",
        ),
        "artemis": (
            "Chart of the enrichment of each choice of cells in the Artemis regions beside the 95 % intervals of both"
            " nulls, with and without the two Mons Mouton regions.",
            "Agreement with the Artemis regions beside chance. A diamond right of the blue bar beats 97.5 %"
            " of turns about the pole.",
        ),
        **score_story.PICTURES,
        **site_story.PICTURES,
        **_LIGHT,
        **crater_story.PICTURES,
        **enhance_story.PICTURES,
        **rock_story.PICTURES,
    }
    return {name: embed(name, paths[name], *words[name]) for name in words if name in paths}
