"""Columns, captions and metrics of the record of rocks, in plain words."""

from __future__ import annotations

from typing import Final

from lunarsite.vision.rock.classes import CLASSES

_CLASSES: Final = {name: "ground" if name == "background" else name.replace("_", " ") for name in CLASSES}
_GROUPS: Final = {
    "held_out_renders": "held-out renders",
    "own_renders": "own renders",
    "photographs": "photographs",
}
_PREFIXES: Final = {"photograph": "photographs", "render": "renders"}
_METHODS: Final = {"single": "single network", "ensemble": "ensemble", "dropout": "Monte Carlo dropout"}
_KINDS: Final = ("renders", "photographs")
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
    "not_judged": "Without ground, not judged",
    "aurc": "Area under the risk-coverage curve",
    "diameter_m": "Diameter at least (m)",
    "truth_per_m2": "True rocks per m²",
    "found_per_m2": "Found per m²",
    "radius_m": "Radius of the disc (m)",
    "judged_m2": "Ground judged (m²)",
    "called_safe_m2": "Called safe (m²)",
    "called_rocky_share": "Called safe, and a rock within the disc",
    "rocky_share": "All ground, and a rock within the disc",
    "rocky_difference": "Difference of these shares",
    "safe_called_share": "Of the safe ground, called so",
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
    **{
        f"{prefix}_iou_{name}": f"IoU of {words}, {group}"
        for prefix, group in _PREFIXES.items()
        for name, words in _CLASSES.items()
    },
    **{
        f"{prefix}_miou_{end}_seed": f"Mean IoU of the {end} seed, {group}"
        for prefix, group in _PREFIXES.items()
        for end in ("worst", "best")
    },
    "photographs_miou": "Mean IoU, photographs",
    "renders_miou": "Mean IoU, held-out renders",
    "validation_photographs_miou": "Mean IoU, validation photographs",
    "chance_by_sign_test": "Chance of so many by the toss of a coin (sign test)",
    "seen_of_photographs": "What it sees of photographs",
    "kind": "Kind of method",
    "validation_images": "Validation images",
}

CAPTIONS: Final = {
    "segmentation": "Every method by group of images and class, with 95 % intervals over scenes.",
    "calibration": "What the probabilities are worth: expected calibration error in all and by class, Brier score and"
    " likelihood.",
    "differences": "Methods against each other on the same scenes, with paired intervals.",
    "members": "Each member of the ensemble, their mean, and the ensemble itself.",
    "out_of_distribution": "Images of other kinds against familiar renders: how well each statistic tells them apart,"
    " and what the card's limit catches.",
    "unfamiliarity": "Unfamiliarity of each kind of image (how far its features lie from those of the images that"
    " taught), and how many the card's limit calls unfamiliar.",
    "safe_discs": "Ground that is called safe for a lander, on own renders: how much of it truly has a rock within the"
    " disc, beside all ground, and how much of the safe ground is found; with 95 % intervals over scenes.",
    "parameters": "The baseline without learning: its parameters, chosen on validation images.",
    "aurc": "Error over all shares handed over: the less the better, between the oracle's and random order's.",
    "ablation": "What closes the gap between renders and photographs: the same training with one thing more each.",
    "heads": "The horizon head against the plain last layer in the same training, by class, with paired intervals.",
    "photograph_gains": "The chosen training against those without labels of photographs, and against finding no rock"
    " at all, on test photographs, with paired intervals and, beside them, how often chance alone makes so many scenes"
    " better.",
    "seeds": "What closes the gap, seed by seed, and the plain last layer beside it.",
    "history": "Loss and its parts, epoch by epoch.",
}

METRICS: Final = {
    "unfamiliarity_limit": "Limit of unfamiliarity on the model's card",
    **{
        f"{name}_{key}": f"{words}, {group}"
        for key, group in _GROUPS.items()
        for name, words in {
            "scenes": "Scenes measured",
            "miou": "Mean IoU of the calibrated ensemble",
            "ece": "Calibration error (ECE) of the calibrated ensemble",
            "error": "Share of wrong pixels of the calibrated ensemble",
        }.items()
    },
    "rocks_true": "True rocks that are counted",
    "rocks_found": "Rocks found that are counted",
    "called_rocky_share": "Share of the ground called safe that has a rock within the disc",
    "rocky_share": "Share of all ground that has a rock within the disc",
    "safe_called_share": "Share of the safe ground that is called so",
    # Of the training.
    "members": "Members",
    "epochs": "Epochs",
    "seconds": "Time taken",
    "validation_loss": "Loss on validation images",
    **{
        f"{name}_{method}{kind and '_'}{kind}": f"{words}, {told}{kind and ', validation '}{kind.replace('_', ' ')}"
        for method, told in _METHODS.items()
        for name, words, kinds in (
            ("temperature", "Temperature", ("",)),
            ("nll", "Negative log likelihood on validation images", ("",)),
            ("nll_tempered", "Negative log likelihood with the temperature", ("", *_KINDS)),
            ("ece_tempered", "Calibration error (ECE) with the temperature", _KINDS),
            ("limit", "Limit of unfamiliarity", ("", *_KINDS, "own_renders")),
        )
        for kind in kinds
    },
    **{
        f"iou_{method}_{name}": f"IoU of {words} on validation images, {told}"
        for method, told in _METHODS.items()
        for name, words in {**_CLASSES, "rocks": "all rocks"}.items()
    },
    # Of the ablation.
    "photographs_scenes": "Scenes of test photographs",
    "held-out_renders_scenes": "Scenes of held-out renders",
    "validation_photographs_scenes": "Scenes of validation photographs",
    "seeds": "Seeds",
    "photograph_miou_geometry": "Mean IoU on test photographs of training on renders with geometry alone",
    "photograph_miou_chosen": "Mean IoU on test photographs of the chosen training",
    **{
        f"photograph_gain_over_{name}": f"Gain of the chosen training over '{name}' on test photographs"
        for name in ("geometry", "augmented", "style", "few_labels", "own_renders", "no_rocks")
    },
    "render_gain": "Gain of the chosen training on held-out renders",
    "photograph_head_gain": "Gain of the horizon head over the plain last layer on test photographs",
    "render_head_gain": "Gain of the horizon head over the plain last layer on held-out renders",
}

LEFT_OUT: Final = (
    *("reliability", "reliability_by_class", "risk_coverage", "risk_coverage_images"),
    *("sizes", "rock_area"),
)
"""Tables that figures show."""
FIRST: Final = ("group", "images", "variant", "adds", "method", "class", "statistic", "measure", "over")
"""Columns that come first."""
SHARES: Final = (
    *("flagged_share", "fpr_at_95", "truth_share"),
    *("called_rocky_share", "rocky_share", "rocky_difference", "safe_called_share"),
)
