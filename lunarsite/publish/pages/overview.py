"""The page that leads to all others: the best sites, the candidate regions, and what is known of both."""

from __future__ import annotations

from typing import Any

import numpy as np

from lunarsite.artefact.contracts import DEM
from lunarsite.publish.pages.criteria import way_words
from lunarsite.publish.pages.elements import Link, embedded, interval, lines, percent, position, region_file, site_file
from lunarsite.publish.pages.gather import SiteRun
from lunarsite.publish.pages.site_page import limit_words
from lunarsite.publish.polar_map import Labels, draw_regions, frame
from lunarsite.publish.rasters import hillshade, picture, whole_view
from lunarsite.publish.report import Picture, Table, nearest
from lunarsite.publish.sections import tell
from lunarsite.publish.style import BLUE, SMALL_PT, WIDE_IN, caption, halo, header, new_figure, styled
from lunarsite.publish.words import number_words, probability_words, rule_words
from lunarsite.site.place.regions import inside

_PX = 900
RECORDS = {"sites_record": "sites", "site": "others", "artemis": "artemis"}
"""The report's names for the records that the pages tell."""


def compose(run: SiteRun) -> dict[str, Any]:
    """Return what the template prints on the page that leads to all others."""
    count = len(run.sites)
    rule, name = run.chosen.rule, rule_words(run.chosen.scorer.target)
    limits = limit_words(rule, run.lattice.pixel_m)
    pieces, of_best = (int(sites["piece_id"].nunique()) for sites in (run.sites, run.paged))
    return {
        "summary": (
            f"{count} sites were placed on {number_words(pieces)} {'pieces' if pieces != 1 else 'piece'} of contiguous"
            f" ground that is probable enough to meet the {name} rule ({limits}); the best {len(run.paged)},"
            f" on {number_words(of_best)} of them, have a page each. They are numbered by"
            f" {'TOPSIS' if run.chosen.ranking.method == 'topsis' else 'the weighted sum'} over the criteria."
            if count
            else f"No ground is as probable to meet the {name} rule ({limits})"
            " as the settings ask for, so there is no site."
        ),
        "sites": site_table(run) if count else None,
        "picture": overview_map(run) if count else None,
        "regions": region_table(run),
        "records": [tell(key, run.records[name], run.chosen.scorer.target) for name, key in RECORDS.items()],
    }


def site_table(run: SiteRun) -> Table:
    """Return the table of the sites that have a page."""
    rows = []
    for _, site in run.paged.iterrows():
        rows.append(
            (
                Link(str(site["rank"]), site_file(int(site["rank"]))),
                position(site),
                nearest(run.features, float(site["lon"]), float(site["lat"])),
                probability_words(float(site["probability"])),
                interval(site),
                percent(float(site["share_top_20"])),
                f"{site['slope_deg']:.1f}",
                f"{site['illumination_pct']:.0f}",
                f"{site['earth_visibility_pct']:.0f}",
                way_words(site, "walk"),
                str(len(lines(str(site["unknown"])))),
            )
        )
    count = len(run.sites)
    columns = (
        *("Rank", "Ellipse's centre", "Nearest named feature", "Probability to meet the rule"),
        *("Ranks in 95 % of draws", "In the top 20 (share of draws)", "Slope (°)", "Sunlight (% of time)"),
        *("Earth view (% of time)", "From the ellipse to permanent shadow on foot", "Things unknown"),
    )
    text = {"Ellipse's centre", "Nearest named feature", "From the ellipse to permanent shadow on foot"}
    return Table(
        f"The best {len(rows)} of {count} sites. Probability, slope, sunlight and Earth view are of the best cell; the"
        " probability is no chance of a safe landing. In a random order each site would stand in the top 20 in"
        f" {percent(min(1.0, 20 / count))} of the draws.",
        columns,
        tuple(rows),
        tuple(column not in text for column in columns),
    )


def region_table(run: SiteRun) -> Table:
    """Return the table of the candidate regions, each leading to its page."""
    sites, found = run.tables["region_sites"], run.sites
    label = run.labels[run.chosen.scorer.target]
    probability = label["probability"].to_numpy(dtype=np.float64)
    cells = run.tables["cells"]
    x, y = cells["x_m"].to_numpy(), cells["y_m"].to_numpy()
    rows = []
    for region in run.regions:
        own = sites[sites["region"] == region.code]
        held = probability[inside(region.outline, x, y)]
        known = held[np.isfinite(held)]
        listed = inside(region.outline, found["x_m"].to_numpy(), found["y_m"].to_numpy())
        ranks = found["rank"].to_numpy()[listed]
        rows.append(
            (
                Link(region.name, region_file(region.code)),
                f"{region.area_km2:.0f}",
                f"{100.0 * known.mean():.1f}" if known.size else "unknown",
                str(len(own)),
                str(ranks.size),
                str(int(ranks.min())) if ranks.size else "none",
            )
        )
    name = rule_words(run.chosen.scorer.target)
    every = float(np.nanmean(probability)) if np.isfinite(probability).any() else float("nan")
    return Table(
        f"Candidate regions. Of all known cells {100.0 * every:.1f} % are expected to meet the {name} rule (base rate)."
        f" A region's own list holds sites by the HLS rule, the overall list sites by the {name} rule.",
        (
            *("Region", "Area (km²)", f"Cells expected to meet the {name} rule (%)"),
            *("Sites of this region's list (HLS)", f"Overall sites inside ({name})", "Best rank of an overall site"),
        ),
        tuple(rows),
        (False, True, True, True, True, True),
    )


def overview_map(run: SiteRun) -> Picture:
    """Draw where the sites lie on the whole map; those with a page are numbered as far as there is room."""
    shown = picture(run.paths["dem"], DEM, _PX, whole_view(run.lattice))
    with styled():
        height = 6.3
        figure = new_figure(WIDE_IN, height)
        width = height - 0.95
        axes = figure.add_axes((0.5 * (WIDE_IN - width) / WIDE_IN, 0.5 / height, width / WIDE_IN, width / height))
        lit = hillshade(shown.data, shown.pixel_m)
        axes.imshow(
            np.nan_to_num(lit, nan=0.8), extent=shown.view.extent, cmap="gray", vmin=-0.3, vmax=1.0,
            interpolation="nearest", zorder=0.5,
        )  # fmt: skip
        frame(axes, shown.view)
        x, y = run.sites["x_m"].to_numpy(), run.sites["y_m"].to_numpy()
        axes.plot(x, y, ls="", marker="o", ms=3.0, mfc=BLUE, mec="white", mew=0.5, zorder=3.6)
        labels = Labels(axes, shown.view)
        for _, site in run.paged.iterrows():
            labels.place(
                float(site["x_m"]), float(site["y_m"]), str(site["rank"]), 0.012 * shown.view.width_m,
                color=BLUE, fontweight="bold", path_effects=halo(2.0), fontsize=SMALL_PT + 1.0,
            )  # fmt: skip
        draw_regions(axes, shown.view, run.regions, labels)
        caption(figure, f"Dots: sites; numbers: rank. {run.map_source}")
        header(figure, "Sites and candidate regions", synthetic=run.synthetic)
    alt = f"Map of the pole with {len(run.sites)} sites as dots, the best of them numbered, and the candidate regions."
    words = "Where the sites lie. The candidate regions had no part in choosing them."
    return embedded("sites", figure, run.chosen.publish.figure_dpi, alt, words)
