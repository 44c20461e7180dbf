"""What a made-up run has of rocks: scenes, maps, hazards, a model, sample pictures and records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import JsonValue

from lunarsite.artefact import contracts, images, model, record, table
from lunarsite.artefact.images import Credit, ImagesSpec
from lunarsite.artefact.record import Metric, Record, Verdict

from .fake_enhance import texture

if TYPE_CHECKING:
    from .fake_run import FakeRun

IMAGES = ("rock_renders", "rock_maps", "rock_hazard", "rock_samples")
TABLES = ("rock_truth", "rock_sizes", "rock_distribution")
RECORDS = ("rock_training", "rock_ablation", "rock_record")
FIGURES = (
    *("rock_samples", "rock_overlap", "rock_reliability", "rock_risk", "rock_unfamiliar", "rock_hazards", "rock_gap"),
)
GROUPS = {"held-out renders": 0.0, "own renders": 0.05, "photographs": 0.3}
"""Groups, and by how much their numbers are worse."""
SCENES = 12
IMAGES_OF = {"own renders": 20}
"""Images of groups that have more of them than scenes."""
METHODS = ("single", "single scaled", "dropout", "ensemble", "ensemble scaled")
STATISTICS = ("feature distance", "entropy", "brightness", "mutual information", "contrast", "black share")
"""The best first."""
HANDED_OVER = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
CLASSES = ("background", "small rocks", "large rocks", "sky")
CREDIT = Credit(title="Made-up images", licence="none", citation="nobody")
ROWS, COLS = 32, 48

Rows = list[dict[str, JsonValue]]


def write_rock(run: FakeRun) -> None:
    """Write everything into a run's folder."""
    _stacks(run)
    _samples(run)
    _tables(run)
    card = model.Card(
        spec={"kind": "rock"},
        inputs=("red", "green", "blue"),
        classes=CLASSES,
        training={"data": [{"title": "Rocks <drawn by hand>", "licence": "CC BY-NC-SA 4.0", "citation": "nobody"}]},
    )
    weights = {"0.weight": np.zeros(3, dtype=np.float16)}
    stamp = run.stamp("rock_model", "rock-train").model_copy(update={"origin": "local"})
    model.write_tensors(run.path("rock_model"), contracts.ROCK_MODEL, weights, card, stamp)
    for name, spec, found in (
        ("rock_training", contracts.ROCK_TRAINING, Record(title="Training", metrics=(Metric(name="loss", value=0.5),))),
        ("rock_ablation", contracts.ROCK_ABLATION, Record(title="Ablation", tables={"ablation": _ablation()})),
        ("rock_record", contracts.ROCK_RECORD, rock_record()),
    ):
        # Rendered rocks are synthetic in a run of the real Moon too.
        stamp = run.stamp(spec.name, f"test-{name}").model_copy(update={"origin": "synthetic"})
        record.write(run.path(name), spec, found, stamp)


def classes_of(seed: int) -> NDArray[np.uint8]:
    """A horizon, and a rock of either kind below it."""
    made = np.zeros((ROWS, COLS), dtype=np.uint8)
    made[:10] = 3
    made[18:22, 5 + seed : 9 + seed] = 1
    made[20:30, 20:32] = 2
    return made


def _picture(seed: int) -> NDArray[np.uint8]:
    ground = (200.0 * texture(ROWS, COLS, seed)).astype(np.uint8)
    ground[:10] = 0
    return np.repeat(ground[..., None], 3, axis=2)


_DTYPES: dict[str, Any] = {"string": object, "uint8": np.uint8, "int64": np.int64, "float64": np.float64}


def write_images(run: FakeRun, name: str, spec: ImagesSpec, found: list[dict[str, Any]]) -> None:
    """Write images; stacks and values that are not given are 0 or ''."""
    stamp = run.stamp(spec.name, f"test-{name}").model_copy(update={"origin": "synthetic"})
    with images.creating(run.path(name), spec, stamp, CREDIT, {"height": ROWS, "width": COLS}) as writer:
        for values in found:
            arrays = {}
            for stack in spec.stacks:
                shape = (ROWS, COLS, *(int(side) for side in stack.shape[2:]))
                arrays[stack.name] = np.asarray(values.get(stack.name, np.ones(shape)), dtype=stack.dtype)[None]
            for each in spec.per_image:
                value = values.get(each.name, "" if each.dtype == "string" else 0)
                arrays[each.name] = np.array([value], dtype=_DTYPES[each.dtype])
            writer.append(arrays)


def _stacks(run: FakeRun) -> None:
    sides = {"valid_height": ROWS, "valid_width": COLS, "name": "render 1", "scene": "render 1"}
    for name, spec in (
        ("rock_renders", contracts.ROCK_SCENES),
        ("rock_maps", contracts.ROCK_MAPS),
        ("rock_hazard", contracts.ROCK_HAZARD),
    ):
        write_images(
            run, name, spec, [{"images": _picture(1), "masks": classes_of(0), "classes": classes_of(0), **sides}]
        )


def _samples(run: FakeRun) -> None:
    found = []
    for at, (kind, name, miou) in enumerate(
        (
            (0, "render0015", 0.8),
            (1, "PCAM $12", 0.4),
            (2, "orbital images: 3", np.nan),
            (3, "a render with noise", np.nan),
        )
    ):
        truth = classes_of(at) if np.isfinite(miou) else np.full((ROWS, COLS), 255, dtype=np.uint8)
        values = {"picture": _picture(at), "classes": classes_of(0), "truth": truth, "kind": kind, "name": name}
        doubt = np.abs(texture(ROWS, COLS, 7 + at))
        doubt[-2:] = np.nan
        values |= {"entropy": doubt, "mutual_information": 0.2 * doubt, "miou": miou, "unfamiliarity": 0.02 * at}
        cols = COLS - 8 if kind == 1 else COLS
        values |= {"out_of_distribution": int(kind > 1), "valid_height": ROWS, "valid_width": cols}
        found.append(values)
    write_images(run, "rock_samples", contracts.ROCK_SAMPLES, found)


def _tables(run: FakeRun) -> None:
    for name, spec in (("rock_truth", contracts.ROCK_TRUTH), ("rock_sizes", contracts.ROCK_SIZES)):
        columns: dict[str, Any] = {
            column.name: np.array([""], object) if column.dtype == "string" else np.ones(1, dtype=column.dtype)
            for column in spec.columns
        }
        stamp = run.stamp(spec.name, f"test-{name}").model_copy(update={"origin": "synthetic"})
        table.write(run.path(name), spec, pd.DataFrame(columns), stamp)
    spec = contracts.ROCK_DISTRIBUTION
    frame = pd.DataFrame(distribution(), columns=[column.name for column in spec.columns[1:]])
    frame.insert(0, "id", np.arange(len(frame)))
    stamp = run.stamp(spec.name, "test-rock_distribution").model_copy(update={"origin": "synthetic"})
    table.write(run.path(spec.name), spec, frame, stamp)


def distribution() -> list[dict[str, Any]]:
    """Rows of the distribution of sizes but for their numbers: of three images together, and of one alone."""
    unknown = dict.fromkeys(("diameter_px", "diameter_m", "ground_px", "ground_m2", "per_mpx", "per_m2"), np.nan)
    found = []
    for image, count in (("", 3), ("render 1", 1)):
        told = {"image": image, "images": count, "rocks": count, **unknown}
        found += [
            told | {"diameter_px": size, "ground_px": 1e6, "per_mpx": 300.0 / size**2 if size < 20.0 else 0.0}
            for size in (3.0, 6.0, 12.0, 24.0)
        ]
        found += [
            told | {"diameter_m": size, "ground_m2": 40.0 * size, "per_m2": 0.05 / size**2 if size > 0.1 else np.nan}
            for size in (0.05, 0.2, 0.4, 0.8)
        ]
    return found


def _ends(**values: float) -> dict[str, JsonValue]:
    """Return numbers with their intervals, a tenth to either side."""
    ends = {"": 1.0, "_low": 0.9, "_high": 1.1}
    return {f"{name}{end}": factor * value for name, value in values.items() for end, factor in ends.items()}


def _ablation() -> Rows:
    return [
        {
            "variant": "no rocks",
            "adds": "nothing is learned",
            "seeds": 0,
            "chosen": False,
            "photograph_scenes": 5,
            **_ends(photograph_miou=0.2, render_miou=0.25),
        },
        {
            "variant": "synthetic only",
            "adds": "renders",
            "seeds": 2,
            "chosen": False,
            "photograph_scenes": 5,
            **_ends(photograph_miou=0.4, render_miou=0.8),
        },
        {
            "variant": "style",
            "adds": "statistics <of photographs>",
            "seeds": 2,
            "chosen": True,
            "photograph_scenes": 5,
            **_ends(photograph_miou=0.5, photograph_gain=0.1, render_miou=0.79, render_gain=-0.01),
        },
    ]


def _seeds() -> Rows:
    return [
        {
            "variant": name,
            "seed": seed,
            "validation_photographs_miou": 0.4,
            "photographs_miou": miou + (0.02, -0.02)[seed],
            "renders_miou": 0.8,
        }
        for name, miou in (("synthetic only", 0.4), ("style", 0.5))
        for seed in (0, 1)
    ]


def _heads() -> Rows:
    told = {"variant": "style", "over": "plain head", "group": "held-out renders"}
    return [{**told, "class": name, **_ends(iou=0.79, difference=0.09)} for name in ("mean", "large rocks")]


def _reliability_by_class() -> Rows:
    """Of two methods and classes: large rocks are less often there than is said, the least of all by one network."""
    return [
        {
            "group": group,
            "method": method,
            "class": name,
            "bin": part + 1,
            "confidence": (part + 0.5) / 15.0,
            "accuracy": (part + 0.5) / 15.0 * (1.0 - less - worse),
            "share": 1e-5 if part > 12 else 0.05,
        }
        for group, worse in GROUPS.items()
        for method, less_by in (("single", 0.3), ("ensemble scaled", 0.1))
        for name, less in (("small rocks", 0.0), ("large rocks", less_by))
        for part in range(15)
    ]


def rock_record() -> Record:
    """A record of rocks, in which scaling helps and dropout was not calibrated on photographs."""
    tables: dict[str, Rows] = {"ablation": _ablation(), "heads": _heads(), "seeds": _seeds()}
    segmentation, calibration, reliability, risk = (list[dict[str, JsonValue]]() for _ in range(4))
    for group, worse in GROUPS.items():
        for method, kind, best in (
            *(("majority", "null", 0.2), ("no rocks", "null", 0.35), ("classical", "baseline", 0.45)),
            *(("single", "network", 0.78), ("ensemble scaled", "network", 0.82), ("ensemble", "network", 0.8)),
        ):
            for place, name in enumerate(("mean", *CLASSES)):
                value = max(best - worse - 0.03 * place, 0.01)
                row: dict[str, JsonValue] = {
                    "group": group,
                    "method": method,
                    "kind": kind,
                    "class": name,
                    "scenes": SCENES,
                    "images": IMAGES_OF.get(group, SCENES),
                }
                segmentation.append(row | _ends(iou=value, boundary_f1=0.9 * value))
        # What finds no rock knows how often it is wrong.
        null: dict[str, JsonValue] = {"group": group, "method": "no rocks", "kind": "null"}
        calibration.append({**null, **_ends(ece=0.005 + 0.2 * worse), "nll": 2.0, "temperature": 1.0})
        for place, method in enumerate(METHODS):
            error = _ends(ece=0.05 + 0.2 * worse - 0.01 * place)
            if group == "photographs" and method == "dropout":
                error = dict.fromkeys(error)
            told_of: dict[str, JsonValue] = {"group": group, "method": method, "kind": "network"}
            calibration.append({**told_of, **error, "nll": 0.3, "temperature": 1.2})
            for part in range(15):
                confidence = 0.25 + 0.05 * (part + 0.5)
                accuracy: float | None = confidence - 0.02 * place if part else None
                share = 1e-5 if part < 3 else 0.05
                values = {"confidence": confidence, "accuracy": accuracy, "share": share}
                reliability.append({"group": group, "method": method, "bin": part, **values})
        for statistic, power in (("entropy", 3.0), ("mutual information", 2.0), ("oracle", 9.0), ("random", 0.0)):
            for share in HANDED_OVER:
                left = _ends(error=(0.1 + worse) * (1.0 - share) ** power)
                risk.append({"group": group, "statistic": statistic, "handed_over": share, **left})
    kinds = ("held-out renders", "photographs", "orbital images", "noise", "rotated by 90°", "shadowed orbital images")
    detected, unfamiliar = list[dict[str, JsonValue]](), list[dict[str, JsonValue]]()
    for place, kind in enumerate(kinds):
        middle = 0.01 * (1 + place)
        row = {"images": kind, "statistic": "feature distance", "count": 16 if "orbital" in kind else 12}
        # Of the photographs some show no ground, of the noise none does.
        row["not_judged"] = {"photographs": 3, "noise": 12}.get(kind, 0)
        row["flagged_share"] = 0.0 if kind == "noise" else 0.15 * place
        for name, factor in (("q05", 0.5), ("q25", 0.8), ("q50", 1.0), ("q75", 1.2), ("q95", 1.6)):
            row[name] = None if kind == "noise" else middle * factor
        unfamiliar.append(row)
        for index, statistic in enumerate(STATISTICS):
            if place:
                # The last points the other way, and hardly less far.
                told = _ends(auroc=0.85 - 0.1 * index if statistic != STATISTICS[-1] else 0.2, fpr_at_95=0.3)
                names = {"images": kind, "statistic": statistic, "against": "held-out renders"}
                detected.append({**names, "count": row["count"], **told})
    sizes: Rows = [
        {"diameter_m": at, "truth_per_m2": 0.05 / at**2, **_ends(found_per_m2=0.04 / at**2)}
        for at in (0.1, 0.2, 0.5, 1.0)
    ]
    areas: Rows = [
        {
            "group": "own renders",
            "scene": f"render {k}",
            "truth_share": 0.01 * k,
            "share": 0.009 * k,
            "share_low": 0.007 * k,
            "share_high": 0.02 * k,
        }
        for k in range(1, 8)
    ]
    tables |= {"segmentation": segmentation, "calibration": calibration, "reliability": reliability}
    tables |= {"reliability_by_class": _reliability_by_class()}
    tables |= {
        "risk_coverage": risk,
        "risk_coverage_images": risk,
        "out_of_distribution": detected,
        "unfamiliarity": unfamiliar,
    }
    tables |= {"sizes": sizes, "rock_area": areas}
    verdicts = (
        Verdict(name="ECE of the best on held-out renders", value=0.01, bound="<= 0.03", holds=True, why="made up"),
        Verdict(name="photographs told from renders", value=0.61, bound=">= 0.9", holds=False, why="made up"),
    )
    return Record(
        title="Rocks against masks",
        metrics=(Metric(name="unfamiliarity_limit", value=0.03, unit="1", why="95 % of validation renders"),),
        verdicts=verdicts,
        tables=tables,
        notes=("Masks of photographs leave out <many> small stones.",),
    )
