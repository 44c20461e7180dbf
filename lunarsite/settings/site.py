"""Knobs of the site room: rules, their uncertainty, the scorer, criteria, ranking and sites."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lunarsite.settings.base import Positive, Section

RuleName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Weight = Annotated[float, Field(ge=0.0, le=1_000.0)]


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
    own: dict[RuleName, RuleSettings] = Field(default_factory=dict)
    """Further rules by name. One with a buffer must have that of the hls rule."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name, rule in self.own.items():
            if name in {"cassa", "hls"}:
                raise ValueError(f"own.{name}: this name is taken; change site.rules.{name} itself")
            if rule.slope_buffer_m not in {0.0, self.hls.slope_buffer_m}:
                raise ValueError(
                    f"own.{name}.slope_buffer_m: is {rule.slope_buffer_m:g}, must be 0 or that of the hls rule"
                    f" ({self.hls.slope_buffer_m:g})"
                )
        return self

    def named(self) -> dict[str, RuleSettings]:
        """Return all rules by name: cassa, hls, then the run's own."""
        return {"cassa": self.cassa, "hls": self.hls, **self.own}


class UncertaintySettings(Section):
    """Monte Carlo over what is uncertain in a rule's inputs.

    The defaults were measured on the reference data: the correlation on the elevation model of 240 m less twelve LOLA
    windows of 40 m at x >= 0, the errors of light and Earth view as root mean squares, bias included, against PGDA
    product 69.
    """

    draws: Annotated[int, Field(ge=2, le=100_000)] = 200
    """Clones of the elevation model."""
    correlation_m: Annotated[float, Field(ge=0.0, le=100_000.0)] = 800.0
    """Distance at which the elevation error's correlation has fallen to 1/e, metres."""
    light_sigma_pct: Annotated[float, Field(ge=0.0, le=50.0)] = 2.9
    """One-sigma error of a cell's sunlight, percent of time, where the run has no published reference to measure it."""
    earth_sigma_pct: Annotated[float, Field(ge=0.0, le=50.0)] = 2.8
    """One-sigma error of a cell's Earth view, percent of time, where the run has no such reference."""
    remove_bias: bool = True
    """Whether probabilities are of light and Earth view less the bias that the run measured against a published map.
    Hard labels are of the map as it is."""
    shards: Annotated[int, Field(ge=1, le=1_000)] = 2
    """Jobs among which the map's blocks of cells are dealt out; the result does not depend on it."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 11
    """Seed of the clones."""


class ScorerSettings(Section):
    """XGBoost on the probability that a cell meets a rule."""

    target: RuleName = "cassa"
    """The rule whose probability the scorer learns: cassa, hls or one of site.rules.own."""
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
    max_bin: Annotated[int, Field(ge=16, le=65_536)] = 1_024
    """Histogram bins of a feature; wider than a small part of the inputs' errors, they make the score a staircase."""
    limit_share: Annotated[float, Field(ge=0.0, le=10.0)] = 0.5
    """What cells near each limit of the rule weigh in training, as a share of all cells; 0 lets each count once."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 42
    """Seed of draws."""


class CrossValidationSettings(Section):
    """Held-out blocks of the map on which the scorer is measured."""

    folds: Annotated[int, Field(ge=2, le=50)] = 5
    """Folds among which the blocks are dealt."""
    blocks_km: Annotated[tuple[Annotated[float, Field(ge=0.0, le=500.0)], ...], Field(min_length=1)] = (
        0.0,
        25.0,
        50.0,
        100.0,
    )
    """Sides of the blocks that are compared, km; 0 deals single cells at random."""
    headline_block_km: Annotated[float, Field(gt=0.0, le=500.0)] = 50.0
    """The side whose figures are the headline, km; one of blocks_km."""
    context_everywhere: bool = False
    """Whether the context model is measured on all blocks_km, for the time it takes; else on 0 and the headline's."""
    dead_zone_km: Annotated[float, Field(ge=0.0, le=500.0)] = 5.0
    """Cells closer than that to a held-out one are not trained on, km; not with single cells at random (0 km)."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 42
    """Seed of the deal."""

    @model_validator(mode="after")
    def _headline(self) -> Self:
        if self.headline_block_km not in self.blocks_km:
            raise ValueError(f"headline_block_km ({self.headline_block_km:g}) is none of blocks_km {self.blocks_km}")
        return self


class ReachSettings(Section):
    """Ways to permanently shadowed ground."""

    psr_area_km2: Annotated[float, Field(gt=0.0, le=10_000.0)] = 1.0
    """Smallest permanently shadowed region that is a destination, km2."""
    walk_slope_deg: Annotated[float, Field(gt=0.0, le=45.0)] = 15.0
    """Steepest ground of a way on foot, degrees."""
    rover_slope_deg: Annotated[float, Field(gt=0.0, le=45.0)] = 25.0
    """Steepest ground of a rover's way, degrees."""


class ReliefSettings(Section):
    """Relief at the scale of a lander, where a finer elevation model exists."""

    radius_m: Annotated[float, Field(gt=0.0, le=5_000.0)] = 100.0
    """Radius of the disc that is described, metres."""
    steep_deg: Annotated[float, Field(gt=0.0, le=45.0)] = 8.0
    """Slope above which ground counts as steep, degrees."""


class WeightsSettings(Section):
    """Weights of the criteria; only their proportions count. One that no site knows drops out."""

    probability: Weight = 0.25
    """Probability that the ground meets the rule."""
    illumination: Weight = 0.15
    """Average sunlight."""
    longest_night: Weight = 0.15
    """Longest time without any Sun."""
    sun_and_earth: Weight = 0.10
    """Hours per year with Sun and Earth together."""
    slope: Weight = 0.10
    """Mean slope."""
    psr_walk: Weight = 0.10
    """Way on foot to permanently shadowed ground."""
    craters: Weight = 0.05
    """Share of the ground within 1 km that lies inside craters."""
    relief: Weight = 0.05
    """Steep slopes at the scale of a lander."""
    area: Weight = 0.05
    """Area of the contiguous good ground."""
    temperature: Weight = 0.05
    """Temperature; lower is better."""
    ice: Weight = 0.05
    """Depth at which ice is stable; less is better."""
    scarps: Weight = 0.05
    """Distance to the nearest lobate scarp."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not any(self.model_dump().values()):
            raise ValueError("all weights are 0; give at least one criterion a weight")
        return self


class RankingSettings(Section):
    """Order of the sites and how firm it is."""

    method: Literal["topsis", "weighted_sum"] = "topsis"
    """TOPSIS (closeness to the best and distance from the worst of the sites), or the weighted sum."""
    weights: WeightsSettings = WeightsSettings()
    draws: Annotated[int, Field(ge=10, le=100_000)] = 500
    """Draws of random weights and shifted limits."""
    threshold_shift: Annotated[float, Field(ge=0.0, le=0.5)] = 0.1
    """Largest shift of the rule's limits, as a share of each."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 13
    """Seed of the draws."""


class PlacingSettings(Section):
    """Sites: pieces of contiguous good ground around a best place."""

    least_probability: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    """Cells at least as probable to meet the rule are good ground."""
    spacing_km: Annotated[float, Field(gt=0.0, le=200.0)] = 5.0
    """Least distance of two sites, km."""
    region_spacing_km: Annotated[float, Field(gt=0.0, le=200.0)] = 2.0
    """Least distance of two sites of one Artemis region, km."""
    most: Annotated[int, Field(ge=1, le=10_000)] = 5_000
    """Sites kept overall; enough for every piece of good ground at the default spacing."""
    most_per_region: Annotated[int, Field(ge=1, le=1_000)] = 10
    """Sites kept in each Artemis region."""
    ellipse_semi_axes_m: tuple[Positive, Positive] = (500.0, 300.0)
    """Semi-axes of the landing ellipse, metres."""


class SiteSettings(Section):
    """Cells, probabilities, scores, criteria and sites."""

    rules: RulesSettings = RulesSettings()
    craters: Literal["detected", "given"] = "detected"
    """Which catalogue the cells' crater features come from: the craters that the run detects, or those it was given."""
    uncertainty: UncertaintySettings = UncertaintySettings()
    scorer: ScorerSettings = ScorerSettings()
    crossvalidation: CrossValidationSettings = CrossValidationSettings()
    reach: ReachSettings = ReachSettings()
    relief: ReliefSettings = ReliefSettings()
    placing: PlacingSettings = PlacingSettings()
    ranking: RankingSettings = RankingSettings()

    @model_validator(mode="after")
    def _target(self) -> Self:
        if self.scorer.target not in self.rules.named():
            raise ValueError(f"scorer.target: '{self.scorer.target}' is no rule; rules are {list(self.rules.named())}")
        return self
