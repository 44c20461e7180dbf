"""Columns and captions of the records' tables in plain words, as the report prints them."""

from __future__ import annotations

from typing import Final

# In the order in which the report's tables have them. A column with an interval gets ' (95 %)' where it is printed, one
# of a share ' (%)'. '{rule}' is the rule of the score.
TABLE_WORDS: Final = {
    "where": "Where",
    "says": "What was found",
    "rule": "Rule",
    "measure": "Measure",
    "within_km": "Within (km)",
    "massif": "Massif",
    "region": "Region",
    "code": "Code",
    "selection": "Chosen",
    "of": "Chosen in all",
    "sites": "Sites",
    "count": "Number",
    "expected": "Expected by area",
    "best": "Best rank",
    "regions_matched": "Regions matched",
    "regions": "Regions",
    "cells": "Cells",
    "unknown_cells": "Cells unknown",
    "cells_failing_slope": "Cells too steep",
    "cells_failing_light": "Cells too dark",
    "cells_failing_earth": "Cells with too little Earth view",
    "good_cells": "Good cells",
    "max_slope_deg": "Slope at most (°)",
    "min_illumination_pct": "Sunlight at least (%)",
    "min_earth_visibility_pct": "Earth view at least (%)",
    "slope": "Slope that is read",
    "suitable": "Passes",
    "expected_suitable": "Expected to meet it",
    "expected_bias_removed": "Expected, less the maps' bias",
    "expected_bias_kept": "Expected, bias left in",
    "likely_bias_removed": "Probability of at least 0.5, less the maps' bias",
    "likely_bias_kept": "Probability of at least 0.5, bias left in",
    "expected_among_suitable": "Expected among those that pass",
    "expected_among_unsuitable": "Expected among those that fail",
    "unsure": "Undecided",
    "unsure_by_slope_alone": "Undecided by slope alone",
    "unsuitable": "Fails",
    "unknown": "Unknown",
    "unknown_slope": "Slope unknown",
    "unknown_light": "Sunlight unknown",
    "unknown_earth": "Earth view unknown",
    "words": "Criterion",
    "name": "Name in the settings",
    "unit": "Unit",
    "better": "Better",
    "weight_given": "Weight given",
    "weight_used": "Weight in use",
    "share_of_weighted_spread": "Share of the weighted spread",
    "sites_known": "Sites known",
    "left_out_because": "Left out because",
    "ground": "Ground",
    "places": "Places",
    "listed_again": "Listed again",
    "on_known_ground": "On known ground",
    "without_the_moutons": "Without the two Moutons",
    "sites_counted": "Sites of ours",
    "others_counted": "Places of theirs",
    "spearman": "Spearman's correlation",
    "value": "Value",
    "summit_km": "Summit (km)",
    "passing_within_a_cell": "Passing cells within a cell",
    "best_probability": "Best probability",
    "offers_good_ground": "Offers good ground",
    "has_site": "Has a site",
    "best_site_rank": "Best site's rank",
    "suitable_cells": "Cells that pass, {rule}",
    "suitable_cells_hls": "Cells that pass, HLS",
    "suitable_cells_cassa": "Cells that pass, CASSA",
    "nearest_site_km": "Nearest site (km)",
    "nearest_site_rank": "Its rank",
    "share_inside": "Share inside",
    "share_by_score": "Share inside, by score",
    "share_by_rule": "Share inside, by plain rule",
    "gain": "Gain of the score",
    "base_rate": "Base rate",
    "enrichment": "Enrichment",
    "rotation_median": "Turned about the pole: median (95 %)",
    "rotation_p": "p, turned",
    "near_turns_median": "Turned by at most 30°: median (95 %)",
    "near_turns_p": "p, near turns",
    "p_rule_better": "p, turned, for the rule",
    "random_median": "Random cells: median (95 %)",
    "random_p": "p, random",
    "random_from": "Random cells from",
    "why": "Why none",
    "why_not": "Why not",
    "listed_area_km2": "Listed area (km², map)",
    "known_area_km2": "Known area (km², true)",
    "known_share": "Known share",
    "passing_share": "Share that passes, {rule}",
    "too_steep_share": "Share too steep",
    "too_dark_share": "Share too dark",
    "no_earth_share": "Share with too little Earth view",
    "best_rank": "Best cell's rank by score",
    "why_unknown": "Why unknown",
    "detector": "Detector",
    "over": "Gain over",
    "split": "Ground",
    "least_diameter_m": "Least diameter (m)",
    "diameter": "Diameter",
    "depth_ratio": "Depth over diameter",
    "doubt": "What speaks against the crater",
    "craters": "Craters of the catalogue",
    "detections": "Detections",
    "hits": "Hits",
    "score": "Score, mean",
    "precision": "Precision",
    "recall": "Recall",
    "median_km": "Median distance (km)",
    "recall_rotation_median": "Recall, turned: median (95 %)",
    "recall_rotation_p": "p of recall, turned",
    "precision_rotation_median": "Precision, turned: median (95 %)",
    "precision_rotation_p": "p of precision, turned",
    "median_rotation_median": "Distance, turned: median (95 %)",
    "median_rotation_p": "p of distance, turned",
    "f1": "F1",
    "strict_f1": "F1, strict",
    "average_precision": "Average precision",
    "gain_f1": "Gain of F1",
    "missed": "Missed",
    "share_missed": "Share missed",
    "share_of_misses": "Share of all misses",
    "centre_radii_median": "Centre's error (radii), median",
    "centre_radii_p90": "Centre's error (radii), 90 %",
    "centre_px_median": "Centre's error (pixels), median",
    "diameter_ratio_median": "Diameter over the catalogue's, median",
    "diameter_spread": "Its spread (half of 16 to 84 %)",
    "deepmoon_precision": "Precision, DeepMoon's rule",
    "deepmoon_recall": "Recall, DeepMoon's rule",
    "ring_iou": "Ring pixels: overlap (IoU)",
    "ring_precision": "Ring pixels: precision",
    "ring_recall": "Ring pixels: recall",
}
TABLE_CAPTIONS: Final = {
    "in_words": "Where the choices agree with the list of regions and where not, each with what chance gives.",
    "agreement": "Share of the chosen area inside the Artemis regions, base rate, and both nulls (as enrichments).",
    "score_against_rule": "The score's choice against the plain rule's: shares of the chosen area inside the regions,"
    " and their difference beside the differences after turning both choices together.",
    "agreement_of_other_rules": "Other rules: shares inside the Artemis regions, base rate, and both nulls.",
    "matched_regions": "Regions with a chosen cell near their centre, and how many chance matches.",
    "regions": "The regions one by one; shares by the {rule} rule. What each choice holds there beside chance stands on"
    " the regions' pages.",
    "headline": "Detectors on each ground, with 95 % intervals over blocks of ground. Chance: the network's own"
    " detections at other longitudes, median and 95 %.",
    "gains": "How much the network's F1 exceeds each rival's on the test ground, over the same draws of blocks.",
    "by_diameter": "Craters by diameter.",
    "by_depth": "Recall by the catalogue's depth over diameter.",
    "reliability": "Score against precision, in bins of equally many detections.",
    "localisation": "Where hits lie and how large they are, beside the catalogue, on the test ground.",
    "losses": "Where craters are lost on the test ground: what speaks against them, and how many of those are missed.",
    "other_measures": "Other measures on the test ground, for comparison only.",
}
SECTION_WORDS: Final[dict[str, dict[str, str]]] = {
    "others": {"of": "Compared with"},
    "sites": {"sites": "Sites of this region's list (HLS)", "good_cells": "Good cells (HLS)"},
    "artemis": {
        "sites": "Overall sites inside",
        "best_site_rank": "Best rank of an overall site",
        "selection": "Chosen",
    },
}
"""Columns that have another name in one record than elsewhere."""
FIRST: Final[dict[str, tuple[str, ...]]] = {"others": ("of",)}
"""Columns that come first in one record's tables."""
HIDDEN: Final = frozenset({"column"})
"""Columns of names for programs alone."""
SHARES: Final = frozenset(
    {
        *("known_share", "passing_share", "too_steep_share", "too_dark_share", "no_earth_share"),
        *("share_inside", "share_by_score", "share_by_rule", "gain", "base_rate", "share_missed", "share_of_misses"),
        "share_of_weighted_spread",
    }
)
"""Columns of shares, which are printed as percentages."""
SHARES_OF: Final[dict[str, frozenset[str]]] = {"score_against_rule": frozenset({"rotation_median"})}
"""Columns that are shares in one table alone."""
NOTHING: Final = frozenset(
    {
        *("best", "best_rank", "best_site_rank", "nearest_site_km", "nearest_site_rank", "bias", "rms"),
        *("share_inside", "enrichment", "value", "precision", "recall", "median_km", "average_precision", "strict_f1"),
    }
)
"""Columns whose missing values mean that nothing was chosen or found, unless the row says why they are unknown."""
VALUE_WORDS: Final[dict[str, dict[str, str]]] = {
    "measure": {
        "recall": "recall (share)",
        "precision": "precision (share)",
        "median_target_to_site_km": "median distance from theirs to ours (km)",
        "median_site_to_target_km": "median distance from ours to theirs (km)",
    },
    "slope": {"slope_mean": "mean slope", "buffered_slope_deg": "slope with buffer"},
    "rule": {"cassa": "CASSA", "hls": "HLS"},
    "unit": {"km2": "km²", "degrees": "°", "1": ""},
}
"""Values of text columns in plain words."""
METRIC_WORDS: Final = {
    "good_cells": "Cells of good ground",
    "good_area": "Area of good ground",
    "pieces_of_good_ground": "Contiguous pieces of good ground",
    "sites": "Sites of the overall list",
    "pieces_of_sites": "Pieces that hold the sites",
    "pieces_of_top_20": "Pieces that hold the 20 best",
    "area_of_sites": "Area of the sites' polygons",
    "region_sites": "Sites of the regions' lists (HLS)",
    "regions_with_sites": "Regions with a site of their list",
    "kendall_tau": "Agreement of the two orders (Kendall's tau)",
    "top_20_firm": "Of the 20 best sites, those that stay",
    "top_20_mean_share": "Draws that keep one of the 20 best, on average (share)",
    "top_20_mean_share_topsis": "The same by TOPSIS (share)",
    "top_20_mean_share_weighted_sum": "The same by the weighted sum (share)",
    "sites_removed_per_draw": "Sites that the shifted limits remove in a draw",
    "top_20_chance": "The same in random order (share)",
    "top_20_below_share": "Draws that leave one of the best no good ground (share)",
    "probability_gap": "Largest gap of the shifted limits' probability",
}
"""Metrics in plain words."""
SECTION_CAPTIONS: Final[dict[str, dict[str, str]]] = {
    "labels": {"rules": "The rules: limits, labels, and how many cells meet each if the errors are as stated."},
    "sites": {
        "criteria": "Criteria of the order and their weights. One that no site knows drops out.",
        "regions": "Sites in the Artemis regions by the HLS rule, and what stands against the cells there.",
    },
    "others": {
        "given": "What the run was given to compare its sites with.",
        "agreement": "Sites against those of others, beside sites turned about the pole and random cells.",
        "side_by_side": "As many sites of both systems against the experts'.",
        "rival_scores": "Another system's scores against our probability at its places.",
        "massifs": "The synthetic Moon's massifs that were built gentle: what each offers, and the nearest site.",
        "massif_recovery": "Massifs found: those that offer good ground and have a site, beside massifs turned about"
        " the pole.",
    },
}
"""Captions that hold for one record alone."""
LEFT_OUT: Final[dict[str, tuple[str, ...]]] = {
    "scorer": ("importance",),
    "crossvalidation": ("models",),
    "sites": ("top",),
    "artemis": ("region_counts",),
}
"""Tables that the report tells in another way, or on the regions' pages."""
TOLD_IN_TABLES: Final = frozenset({"artemis", "crossvalidation", "others"})
"""Records whose metrics all stand in their tables or sentences already."""
