"""Columns, captions and metrics of the record of rocks, in plain words."""

from __future__ import annotations

from typing import Final

COLUMNS: Final = {
    "group": "Group",
    "images": "Images",
    "method": "Method",
    "variant": "Training",
    "adds": "What it adds",
    "class": "Class",
    "statistic": "By",
    "baseline": "Baseline",
    "parameters": "Parameters",
    "validation_miou": "Mean IoU, validation images",
    "scenes": "Scenes",
    "count": "Images in all",
    "iou": "IoU",
    "boundary_f1": "Boundary F1",
    "miou": "Mean IoU",
    "ece": "Calibration error (ECE)",
    "ece_class_mean": "ECE, mean of classes",
    "ece_background": "ECE, ground",
    "ece_small_rocks": "ECE, small rocks",
    "ece_large_rocks": "ECE, large rocks",
    "ece_sky": "ECE, sky",
    "brier": "Brier score",
    "nll": "Negative log likelihood (nat)",
    "temperature": "Temperature",
    "over": "Against",
    "difference": "Difference",
    "against": "Told from",
    "auroc": "AUROC",
    "fpr_at_95": "False alarms where 95 % are found",
    "flagged_share": "Called unfamiliar by the card's limit",
    "aurc": "Area under the risk-coverage curve",
    "diameter_m": "Diameter at least (m)",
    "truth_per_m2": "True rocks per m²",
    "found_per_m2": "Found per m²",
    "scene": "Scene",
    "truth_share": "True share of ground under rocks",
    "share": "Share found",
    "share_low": "Surely rock",
    "share_high": "At most",
    "q05": "5 %",
    "q25": "25 %",
    "q50": "Median",
    "q75": "75 %",
    "q95": "95 %",
    "seeds": "Seeds",
    "seed": "Seed",
    "chosen": "Chosen on validation photographs",
    "validation_photograph_miou": "Mean IoU, validation photographs",
    "photograph_miou": "Mean IoU, photographs",
    "photograph_gain": "Gain on photographs",
    "render_miou": "Mean IoU, held-out renders",
    "render_gain": "Gain on renders",
    "photograph_scenes_better": "Scenes of photographs that are better",
    "photograph_scenes": "of",
    "photograph_iou_rocks": "IoU of all rocks, photographs",
    "render_iou_rocks": "IoU of all rocks, renders",
}

CAPTIONS: Final = {
    "segmentation": "Every method by group of images and class, with 95 % intervals over scenes.",
    "calibration": "What the probabilities are worth: expected calibration error (15 bins) in all and by class, Brier"
    " score and likelihood.",
    "differences": "Methods against each other on the same scenes, with paired intervals.",
    "members": "Each member of the ensemble, their mean, and the ensemble itself.",
    "out_of_distribution": "Images of other kinds against held-out renders: how well each statistic tells them apart,"
    " and what the card's limit catches.",
    "unfamiliarity": "Unfamiliarity of each kind of image (nat), and how many the card's limit calls unfamiliar.",
    "parameters": "The baseline without learning: its parameters, chosen on validation images.",
    "aurc": "Error over all shares handed over: the less the better, between the oracle's and random order's.",
    "ablation": "What closes the gap between renders and photographs: the same training with one thing more each.",
    "seeds": "The same, seed by seed.",
}

METRICS: Final = {
    "unfamiliarity_limit": "Limit of unfamiliarity on the model's card",
}

LEFT_OUT: Final = ("reliability", "risk_coverage", "risk_coverage_images", "sizes", "rock_area")
"""Tables that figures show."""
FIRST: Final = ("group", "images", "variant", "adds", "method", "class", "statistic", "measure", "over")
"""Columns that come first."""
SHARES: Final = ("flagged_share", "fpr_at_95", "truth_share")
