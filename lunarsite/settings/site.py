"""Knobs of the site room: hard rules, the scorer, and whose craters the cells count."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lunarsite.settings.base import Section


class RuleSettings(Section):
    """A hard rule for landing ground: all three limits must hold."""

    max_slope_deg: Annotated[float, Field(gt=0.0, le=45.0)]
    """Largest mean slope of the cell, degrees."""
    min_illumination_pct: Annotated[float, Field(ge=0.0, le=100.0)]
    """Least average illumination, percent of time."""
    min_earth_visibility_pct: Annotated[float, Field(ge=0.0, le=100.0)]
    """Least average Earth visibility, percent of time."""
    slope_buffer_m: Annotated[float, Field(ge=0.0, le=5_000.0)] = 0.0
    """Distance to keep from ground steeper than max_slope_deg, metres; needs pixels no larger than it."""


class RulesSettings(Section):
    """Hard rules, and which average of sunlight they and the features read."""

    illumination: Literal["mean", "any"] = "any"
    """'mean': mean visible disc fraction; 'any': share of time with any part of the disc, as published maps have it."""
    cassa: RuleSettings = RuleSettings(max_slope_deg=5.0, min_illumination_pct=33.0, min_earth_visibility_pct=50.0)
    """The reference system's CASSA rule."""
    hls: RuleSettings = RuleSettings(
        max_slope_deg=8.0, min_illumination_pct=33.0, min_earth_visibility_pct=50.0, slope_buffer_m=100.0
    )
    """Human Landing System rule."""


class ScorerSettings(Section):
    """XGBoost on a rule's label."""

    target: Literal["cassa", "hls"] = "cassa"
    """The rule whose label the scorer learns."""
    trees: Annotated[int, Field(ge=1, le=10_000)] = 300
    """Boosting rounds."""
    max_depth: Annotated[int, Field(ge=1, le=16)] = 6
    """Depth of a tree."""
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 0.05
    """Shrinkage of each tree."""
    subsample: Annotated[float, Field(gt=0.0, le=1.0)] = 0.8
    """Share of cells drawn for each tree."""
    colsample: Annotated[float, Field(gt=0.0, le=1.0)] = 0.8
    """Share of features drawn for each tree."""
    folds: Annotated[int, Field(ge=2, le=50)] = 5
    """Folds of the spatially blocked cross-validation."""
    block_km: Annotated[float, Field(gt=0.0, le=500.0)] = 50.0
    """Side of a block of the cross-validation, km."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 42
    """Seed of draws and folds."""


class SiteSettings(Section):
    """Cells, labels and scores."""

    rules: RulesSettings = RulesSettings()
    craters: Literal["detected", "given"] = "detected"
    """Which catalogue the cells' crater features come from: the craters that the run detects, or those it was given."""
    scorer: ScorerSettings = ScorerSettings()
