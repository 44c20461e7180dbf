"""Training, explaining and cross-validating the scorer: seconds for the cap's 315 034 cells, beside XGBoost's own SHAP.

    python benchmarks/bench_score.py [--cells 315034] [--threads 2] [--peer-cells 4000] [--folds]

Made-up cells with smooth features and probabilities. Wall-clock and processor seconds are both printed: on a busy
machine only the latter mean something. The limit for training and SHAP values of all cells is 60 s on two cores; the
peer, `pred_contribs` of XGBoost, explains `--peer-cells` and is scaled up. With `--folds` one training of each kind of
the cross-validation is timed and scaled to those of the default settings.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import xgboost
from scipy.special import expit

from lunarsite.settings import CrossValidationSettings, ScorerSettings
from lunarsite.site.score import baselines
from lunarsite.site.score.families import context_features
from lunarsite.site.score.population import FEATURES
from lunarsite.site.score.scorer import margins, shap_values, train

LIMIT_S = 60.0


def made_up(cells: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Features of about the real ones' scales, and a probability of three of them that is mostly 0."""
    draws = np.random.default_rng(0)
    frame = pd.DataFrame(draws.gamma(2.0, 5.0, (cells, len(FEATURES))).astype(np.float32), columns=list(FEATURES))
    sides = (
        ("slope_mean", -1.0, 5.0, 0.5),
        ("avg_illumination_pct", 1.0, 12.0, 2.0),
        ("earth_visibility_pct", 1.0, 8.0, 2.0),
    )
    odds = [expit(1.7 * way * (frame[name] - limit) / sigma) for name, way, limit, sigma in sides]
    return frame, np.prod(odds, axis=0).astype(np.float32)


def timed(what: str, work: Callable[[], Any], scale: float = 1.0, note: str = "") -> tuple[Any, float]:
    """Run, print wall-clock and processor seconds (times `scale`), and return the result and the processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{what:<44} {scale * wall:8.1f} s wall {scale * cpu:8.1f} s of processor {note}")
    return result, scale * cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=315_034)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer-cells", type=int, default=4_000)
    parser.add_argument("--folds", action="store_true")
    arguments = parser.parse_args()
    settings, validation = ScorerSettings(), CrossValidationSettings()
    features, probability = made_up(arguments.cells)
    shap_values(train(features[:600], probability[:600], ScorerSettings(trees=1)), features[:600])  # compiles
    booster, training = timed("training", lambda: train(features, probability, settings))
    (shap, bias), explaining = timed(
        "SHAP values of all cells", lambda: shap_values(booster, features, arguments.threads)
    )
    gap = np.abs(shap.sum(axis=1, dtype=np.float64) + bias - margins(booster, features)).max()
    some = xgboost.DMatrix(features[: arguments.peer_cells], nthread=1)
    scale = arguments.cells / arguments.peer_cells
    _, peer = timed("the same by XGBoost, scaled up", lambda: booster.predict(some, pred_contribs=True), scale)
    print(f"{peer / explaining:.1f} times the processor time of ours; our values add up to the score within {gap:.1g}")
    spent = training + explaining / arguments.threads
    print(f"training and SHAP: {spent / LIMIT_S:.2f} of the limit of {LIMIT_S:g} s on {arguments.threads} quiet cores")
    if arguments.folds:
        held = np.arange(arguments.cells) % validation.folds == 0
        context = features[context_features(list(features.columns))]
        inputs = features[["slope_mean", "avg_illumination_pct", "earth_visibility_pct"]]
        sizes, measured = (
            len(validation.blocks_km),
            len({0.0, validation.headline_block_km} & set(validation.blocks_km)),
        )
        rest = probability[~held]
        total = 0.0
        for what, work, times in (
            ("full", lambda: margins(train(features[~held], rest, settings), features[held]), sizes),
            ("context", lambda: margins(train(context[~held], rest, settings), context[held]), measured),
            ("logistic", lambda: baselines.logistic(inputs[~held], rest, inputs[held]), sizes),
        ):
            total += times * validation.folds * timed(f"one fold, {what}", work)[1]
        print(f"cross-validation: about {total / arguments.threads:.0f} s on {arguments.threads} quiet cores")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
