"""What was measured on rendered scenes, as estimates with intervals and as rows of the record's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from lunarsite.validate.crater import Row, with_interval
from lunarsite.validate.enhance_intervals import Estimate, Grounds
from lunarsite.validate.enhance_measures import SPECTRUM_EDGES
from lunarsite.validate.enhance_results import RAW, SCENE_METRICS, Measured
from lunarsite.validate.enhance_scenes import Chosen

Floats = NDArray[np.float64]
Rows = list[dict[str, JsonValue]]

PX_OF_RATE = 100_000.0
KM2_OF_RATE = 100.0


@dataclass(frozen=True)
class Results:
    """What was measured, the ground of each scene, and which methods are networks and filters."""

    measured: Measured
    grounds: Grounds
    networks: tuple[str, ...]

    @property
    def baselines(self) -> tuple[str, ...]:
        """Names of the classical filters."""
        return tuple(name for name in self.measured.methods if name != RAW and name not in self.networks)

    def kind(self, method: str) -> str:
        """Return 'raw', 'classical' or 'network'."""
        return RAW if method == RAW else "network" if method in self.networks else "classical"

    def of(self, metric: str, method: str, level: int) -> Estimate:
        """Return the mean of a metric over scenes."""
        return self.grounds.mean(self.measured.metrics[metric][self._at(method), level])

    def count(self, name: str, method: str, level: int) -> Floats:
        """Return a count of each scene."""
        return np.asarray(self.measured.counts[name][self._at(method), level])

    def recall(self, method: str, level: int, found: str = "found") -> Estimate:
        """Return the share of the truth's craters that a method shows, or that chance would."""
        return self.grounds.ratio(self.count(found, method, level), self.count("truth", method, level))

    def rate(self, name: str, method: str, level: int) -> Estimate:
        """Return craters for 100 000 pixels in shadow: of one kind, or 'lost' or 'revealed'."""
        return self.grounds.ratio(self.craters(name, method, level), self.measured.shadow_px / PX_OF_RATE)

    def craters(self, name: str, method: str, level: int) -> Floats:
        """Return craters of each scene: of one kind, or 'lost' or 'revealed'.

        Lost: of the truth, and not shown. Revealed: of what the method shows, that which the truth bears out, less the
        same of the raw image. It is counted among the same craters as what is invented, those that the result shows at
        the high threshold, so that the two can be set against each other.
        """
        if name == "lost":
            return self.count("truth", method, level) - self.count("found", method, level)
        if name == "revealed":
            own, raw = (self.count("result", one, level) - self.count("invented", one, level) for one in (method, RAW))
            return own - raw
        return self.count(name, method, level)

    def squared(self, kind: str, method: str, level: int) -> Estimate:
        """Return the mean square difference from the truth over 'supported' or 'unsupported' pixels, range squared."""
        at = self._at(method), level
        metrics = self.measured.metrics
        return self.grounds.ratio(metrics[f"{kind}_squared"][at], metrics[f"{kind}_px"][at])

    def _at(self, method: str) -> int:
        return self.measured.methods.index(method)


def level_rows(results: Results) -> Rows:
    """Return the methods' measures by signal level: means over scenes with 95 % intervals over ground."""
    rows: Rows = []
    for level, electrons in enumerate(results.measured.electrons):
        for method in results.measured.methods:
            row: Row = {"method": method, "kind": results.kind(method), "electrons": electrons}
            for metric in SCENE_METRICS:
                row |= _columns(metric, results.of(metric, method, level))
            rows.append(row)
    return rows


def crater_rows(results: Results) -> Rows:
    """Return the craters that the methods show, invent and lose, by signal level, beside chance."""
    rows: Rows = []
    km2 = results.measured.area_km2 / KM2_OF_RATE
    for level, electrons in enumerate(results.measured.electrons):
        for method in results.measured.methods:
            counts = {name: results.count(name, method, level) for name in ("truth", "result", "found", "invented")}
            row: Row = {"method": method, "kind": results.kind(method), "electrons": electrons}
            row |= {name: int(values.sum()) for name, values in counts.items()}
            row |= _columns("recall", results.recall(method, level))
            row |= _columns("chance_recall", results.recall(method, level, "chance_found"))
            row |= _columns("invented_share", results.grounds.ratio(counts["invented"], counts["result"]))
            row |= _columns("invented_per_100km2", results.grounds.ratio(counts["invented"], km2))
            lost = counts["truth"] - counts["found"]
            row |= _columns("lost_per_100km2", results.grounds.ratio(lost, km2))
            for name in ("invented", "lost", "revealed"):
                row |= _columns(f"{name}_per_100000px", results.rate(name, method, level))
            rows.append(row)
    return rows


def pixel_rows(results: Results) -> Rows:
    """Return invented, revealed and lost craters by the size of the scenes' pixels, which sets what a crater is.

    Over all sizes together, ground with large pixels, where hardly anything is a crater of some pixels, would dilute
    the rates for 100 km2. Intervals draw the grounds with such pixels.
    """
    rows: Rows = []
    scenes = results.measured.scenes
    for pixel_m in sorted({one.pixel_m for one in scenes}):
        here = np.array([one.pixel_m == pixel_m for one in scenes])
        grounds = results.grounds.of(here)
        areas = {"100km2": results.measured.area_km2 / KM2_OF_RATE, "100000px": results.measured.shadow_px / PX_OF_RATE}
        for level, electrons in enumerate(results.measured.electrons):
            for method in results.measured.methods:
                truth, found = (float(results.count(name, method, level)[here].sum()) for name in ("truth", "found"))
                row: Row = {
                    "pixel_m": pixel_m,
                    "scenes": int(here.sum()),
                    "grounds": grounds.count,
                    "method": method,
                    "electrons": electrons,
                    "recall": found / truth if truth else None,
                }
                for unit, area in areas.items():
                    for name in ("invented", "revealed", "lost"):
                        rate = grounds.ratio(results.craters(name, method, level)[here], area[here])
                        row |= _columns(f"{name}_per_{unit}", rate)
                rows.append(row)
    return rows


def gain_rows(results: Results) -> Rows:
    """Return how much better each network is than the raw image and each baseline, with paired intervals."""
    rows: Rows = []
    for level, electrons in enumerate(results.measured.electrons):
        for network in results.networks:
            for over in (RAW, *results.baselines):
                row: Row = {"method": network, "over": over, "electrons": electrons}
                for metric in ("psnr_db", "ssim", "psnr_fitted_db", "ssim_fitted", "edge_recall"):
                    gain = results.of(metric, network, level) - results.of(metric, over, level)
                    row |= _columns(f"gain_{metric}", gain)
                row |= _columns("gain_recall", results.recall(network, level) - results.recall(over, level))
                more = results.rate("invented", network, level) - results.rate("invented", over, level)
                rows.append(row | _columns("more_invented_per_100000px", more))
    return rows


def spectrum_rows(results: Results) -> Rows:
    """Return power over the truth's, and correlation with the truth, by frequency; sums over scenes in their range."""
    rows: Rows = []
    edges = np.array(SPECTRUM_EDGES)
    for level, electrons in enumerate(results.measured.electrons):
        for i, method in enumerate(results.measured.methods):
            truth, own, cross = np.nansum(results.measured.spectra[i, level], axis=0)
            for low, high, t, o, c in zip(edges[:-1], edges[1:], truth, own, cross, strict=True):
                rows.append(
                    {
                        "method": method,
                        "electrons": electrons,
                        "cycles_per_px": float(np.sqrt(low * high)),
                        "power_ratio": float(o / t) if t > 0.0 else None,
                        "correlation": float(c / np.sqrt(o * t)) if o * t > 0.0 else None,
                    }
                )
    return rows


def error_rows(results: Results) -> Rows:
    """Return what the networks' own errors and masks of support are worth, and the way back of a CycleGAN."""
    rows: Rows = []
    for level, electrons in enumerate(results.measured.electrons):
        for network in results.networks:
            at = results.measured.methods.index(network), level
            pixels = [float(np.nansum(results.measured.metrics[f"{kind}_px"][at])) for kind in _KINDS]
            row: Row = {"method": network, "electrons": electrons}
            for name in ("within_one", "within_two"):
                row |= _columns(name, results.of(name, network, level))
            row["supported_share"] = pixels[0] / sum(pixels) if sum(pixels) else None
            for kind in _KINDS:
                square = results.squared(kind, network, level)
                ends = None if square.within is None else (_root(square.within[0]), _root(square.within[1]))
                value = None if square.value is None else _root(square.value)
                row |= with_interval(f"rms_{kind}", value, ends)
            rows.append(row | _columns("cycle_residual", results.of("residual", network, level)))
    return rows


_KINDS = ("supported", "unsupported")


def strength_rows(chosen: Mapping[float, Sequence[Chosen]]) -> Rows:
    """Return what was chosen on validation scenes."""
    return [
        {
            "method": one.method.name,
            "words": one.method.words,
            "electrons": electrons,
            "stripes_taken_off": one.destriped,
            "strength_for_psnr": one.for_psnr,
            "strength_for_ssim": one.for_ssim,
            "unit": one.method.unit,
            "least_tried": one.method.strengths[0],
            "most_tried": one.method.strengths[-1],
            "at_edge": one.at_edge,
            "validation_psnr_db": _finite(one.psnr_db),
            "validation_ssim": _finite(one.ssim),
        }
        for electrons, filters in chosen.items()
        for one in filters
    ]


def _columns(name: str, estimate: Estimate) -> Row:
    return with_interval(name, estimate.value, estimate.within)


def _root(value: float) -> float:
    return float(np.sqrt(max(value, 0.0)))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
