"""What is claimed of networks on rendered scenes, and the bounds.

Most bounds were written down before any network was measured on test ground; docs/validate.md tells which were not.
They are put to the lowest signal level, where the task is hardest, but for errors, which must be right at every level;
the tables tell all levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lunarsite.artefact.record import Verdict
from lunarsite.validate.enhance_intervals import FEWEST_GROUNDS, Estimate, highest, lowest
from lunarsite.validate.enhance_tables import Results

WITHIN_ONE, WITHIN_TWO = (0.63, 0.73), (0.92, 0.98)
"""Shares of the truth within one and two standard errors: 0.683 and 0.954 for normal errors, give or take."""
MOST_MORE_INVENTED = 1.0
"""So many more craters for 100 000 pixels count as no more: one in six scenes of 128 pixels a side."""
FEW = f"unknown: fewer than {FEWEST_GROUNDS} grounds, or too few pixels or craters of a kind"


@dataclass(frozen=True)
class Rivals:
    """The classical baselines: which one is best in PSNR on the scenes that chose strengths, and which are missing."""

    best: str
    chosen_on: str
    absent: tuple[str, ...]

    @property
    def every(self) -> str:
        """All that were measured, in words that say what is left out."""
        without = f" but {' and '.join(self.absent)} (not installed)" if self.absent else ""
        return f"every classical baseline{without}"

    @property
    def any(self) -> str:
        """Any that was measured, likewise."""
        return self.every.replace("every", "any", 1)


def scene_verdicts(results: Results, rivals: Rivals, doubts: Mapping[str, str]) -> list[Verdict]:
    """Return the verdicts on rendered scenes.

    Args:
        results: What was measured.
        rivals: The baselines.
        doubts: Why a network may have seen the test ground: nothing is claimed of such a network.
    """
    at = f"{results.measured.electrons[0]:g} electrons"
    verdicts: list[Verdict] = []
    both: list[list[float | None]] = []
    for network in results.networks:
        better = {
            metric: lowest([results.of(metric, network, 0) - results.of(metric, one, 0) for one in results.baselines])
            for metric in ("psnr_db", "ssim")
        }
        found = [
            above_zero(
                f"{words} of the {network} above that of {rivals.every}, {at}",
                better[metric],
                unit,
                f"least gain over {', '.join(results.baselines)}",
            )
            for metric, words, unit in (("psnr_db", "PSNR", "dB"), ("ssim", "SSIM", "1"))
        ]
        found += _crater_verdicts(results, network, rivals, at)
        found += _error_verdicts(results, network, at)
        doubt = doubts.get(network, "")
        both.append([None if doubt else one.low for one in better.values()])
        verdicts += [_unknown(one, doubt) for one in found] if doubt else found
    verdicts.insert(0, _one_is_better(both, rivals, at))
    return verdicts


def _one_is_better(both: Sequence[Sequence[float | None]], rivals: Rivals, at: str) -> Verdict:
    """Return the verdict that at least one network is better than every baseline in both measures."""
    known = [all(low is not None for low in lows) for lows in both]
    count = sum(all(low is not None and low > 0.0 for low in lows) for lows in both)
    value = float(count) if known and (all(known) or count > 0) else None
    return Verdict(
        name=f"A network better than {rivals.every} in PSNR and in SSIM, {at}",
        value=value,
        unit="networks",
        bound=">= 1",
        holds=None if value is None else value >= 1.0,
        why="both gains above 0 at the lower end of their paired 95 % intervals"
        if value is not None
        else "unknown: of a network nothing can be claimed, see its own verdicts",
    )


def _crater_verdicts(results: Results, network: str, rivals: Rivals, at: str) -> list[Verdict]:
    own = results.rate("invented", network, 0)
    more = {one: own - results.rate("invented", one, 0) for one in results.baselines}
    verdicts = [
        _no_more(
            f"The {network} invents no more craters than {rivals.any}, {at}",
            highest(list(more.values())),
            f"most that it invents more than one of {', '.join(results.baselines)}",
        )
    ]
    if rivals.best in more:
        verdicts.append(
            _no_more(
                f"The {network} invents no more craters than {rivals.best}, {at}",
                more[rivals.best],
                f"{rivals.best} has the best PSNR of the classical baselines on {rivals.chosen_on} scenes",
            )
        )
    verdicts.append(
        above_zero(
            f"The {network} reveals more craters than it invents, {at}",
            results.rate("revealed", network, 0) - own,
            "1/(100 000 px)",
            "revealed: of what it shows, what the truth bears out, less the same of the raw image",
        )
    )
    return verdicts


def _no_more(name: str, more: Estimate, why: str) -> Verdict:
    """Return the verdict that a difference of rates is at most `MOST_MORE_INVENTED`, by the upper end."""
    high, low = more.high, more.low
    words = FEW
    if high is not None and low is not None:
        told = "shown" if high <= MOST_MORE_INVENTED else "not shown"
        told = "it is shown to invent more" if low > MOST_MORE_INVENTED else told
        words = f"{told}: difference {more.value:+.2f} ({low:+.2f} to {high:+.2f}); {why}"
    return Verdict(
        name=name,
        value=high,
        unit="1/(100 000 px)",
        bound=f"<= {MOST_MORE_INVENTED:g} at the upper end of the difference's 95 % interval",
        holds=None if high is None else high <= MOST_MORE_INVENTED,
        why=words,
    )


def _error_verdicts(results: Results, network: str, at: str) -> list[Verdict]:
    verdicts = [
        _coverage(results, network, metric, count, bounds)
        for metric, count, bounds in (("within_one", "one", WITHIN_ONE), ("within_two", "two", WITHIN_TWO))
    ]
    supported, unsupported = (results.squared(kind, network, 0) for kind in ("supported", "unsupported"))
    verdicts.append(
        above_zero(
            f"What the {network} calls supported is nearer to the truth than what it does not, {at}",
            unsupported - supported,
            "1",
            "mean square difference of unsupported less that of supported pixels, range squared",
        )
    )
    return verdicts


def _coverage(results: Results, network: str, metric: str, count: str, bounds: tuple[float, float]) -> Verdict:
    """Return the verdict that at every level the share lies within bounds; it tells the level that misses by most."""
    low, high = bounds
    levels = [
        (electrons, results.of(metric, network, level)) for level, electrons in enumerate(results.measured.electrons)
    ]
    shares = [one.value for _, one in levels if one.value is not None and one.within is not None]
    worst = max(shares, key=lambda one: abs(one - 0.5 * (low + high))) if len(shares) == len(levels) else None
    told = ", ".join(f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f}) at {e:g}" for e, one in levels if one.within)
    return Verdict(
        name=f"Truth within {count} of the {network}'s standard errors, each level",
        value=worst,
        unit="1",
        bound=f"{low:g} to {high:g} at every level",
        holds=None if worst is None else low <= worst <= high,
        why=FEW if worst is None else f"share of pixels, by electrons: {told}; the value is the worst one",
    )


def _unknown(verdict: Verdict, why: str) -> Verdict:
    return verdict.model_copy(update={"value": None, "holds": None, "why": f"unknown: {why}"})


def above_zero(name: str, estimate: Estimate, unit: str, why: str) -> Verdict:
    """Return the verdict that the lower end of an interval is above 0."""
    low = estimate.low
    words = FEW if low is None else f"{why}; {estimate.value:+.3g}, up to {estimate.high:+.3g}"
    return Verdict(
        name=name,
        value=low,
        unit=unit,
        bound="> 0 at the lower end of the 95 % interval",
        holds=None if low is None else low > 0.0,
        why=words,
    )
