"""What the record says of safe discs: a table, numbers, and a claim whose bound was set before it was measured."""

from __future__ import annotations

from lunarsite.artefact.record import Metric, Verdict
from lunarsite.validate.rock_discs import SafeDiscs
from lunarsite.validate.rock_groups import OWN
from lunarsite.validate.rock_predict import delivered_words
from lunarsite.validate.rock_tables import Rows, told
from lunarsite.vision.rock.ablation_scores import FEWEST_SCENES
from lunarsite.vision.rock.network import Method

CLAIM = f"Ground called safe holds rocks less often than all ground, {OWN}"
NO_GROUND = "unknown: no own render with a known camera that is known to be familiar is measured"
NOTHING_CALLED = "unknown: no ground is called safe"
_BOUND = "< 0 at the upper end of the 95 % interval"
_LEAST = 1e-9
"""What a difference of equal numbers may leave by rounding."""


def disc_rows(discs: SafeDiscs | None) -> Rows:
    """How much of the ground called safe, and of all ground, has a rock within the disc."""
    if discs is None:
        return []
    return [
        {
            "group": OWN,
            "radius_m": discs.radius_m,
            "scenes": discs.scenes,
            "judged_m2": discs.judged_m2,
            "called_safe_m2": discs.called_m2,
            **told("called_rocky_share", discs.called_rocky),
            **told("rocky_share", discs.rocky),
            **told("rocky_difference", discs.difference),
            **told("safe_called_share", discs.safe_called),
        }
    ]


def disc_metrics(discs: SafeDiscs | None) -> list[Metric]:
    """Return the shares as numbers of the record; none where nothing was measured."""
    if discs is None:
        return []
    disc = f"disc of {discs.radius_m:g} m"
    shares = (
        ("called_rocky_share", discs.called_rocky, f"ground called safe whose true {disc} holds a rock"),
        ("rocky_share", discs.rocky, f"all ground whose true {disc} holds a rock: what calling all of it safe costs"),
        ("safe_called_share", discs.safe_called, f"ground whose true {disc} holds none that is called safe"),
    )
    return [
        Metric(name=name, value=one.value, unit="1", low=one.low, high=one.high, why=why) for name, one, why in shares
    ]


def disc_verdict(discs: SafeDiscs | None, method: Method) -> Verdict:
    """Return the claim on safe ground; unknown with the reason where nothing, or too little, was measured."""
    high = None if discs is None else discs.difference.high
    return Verdict(
        name=CLAIM,
        value=high,
        unit="1",
        bound=_BOUND,
        holds=None if high is None else high < -_LEAST,
        why=_why(discs, method),
    )


def unmeasured(method: Method) -> str:
    """Return why the files of a run that delivers by another method than the ensemble are not measured."""
    return f"the run delivers by {delivered_words(method)}, while what is seen here, and flagged, is the ensemble's"


def _why(discs: SafeDiscs | None, method: Method) -> str:
    if method != "ensemble":
        return f"unknown: {unmeasured(method)}"
    if discs is None:
        return NO_GROUND
    share, all_ground = discs.called_rocky.value, discs.rocky.value
    if share is None or all_ground is None:
        return NOTHING_CALLED
    difference = discs.difference
    words = f"{share:.4f} of the ground called safe against {all_ground:.4f} of all ground"
    if discs.safe_called.value is not None:
        words += f"; {discs.safe_called.value:.3f} of the safe ground is called so"
    if difference.within is None:
        few = discs.scenes < FEWEST_SCENES
        return f"unknown: {f'fewer than {FEWEST_SCENES} scenes' if few else 'too few scenes have such ground'}; {words}"
    return f"{words}; interval of the difference {difference.low:+.4f} to {difference.high:+.4f}, paired"
