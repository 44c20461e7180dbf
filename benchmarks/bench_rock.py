"""Segmenting pictures of rocks: images per second against a plain loop, and ONNX Runtime beside it.

    python benchmarks/bench_rock.py [--images 4] [--rounds 3] [--model FILE] [--threads 2] [--size 480] [--flips 1]

Pictures are squares of `--size` pixels of made-up ground. `--model` is a trained model (default: the one that comes
with lunarsite, if it is there; else untrained members of the default settings, which cost the same). Timed are the maps
that the segmenter returns (probability, classes, entropy, mutual information) and the unfamiliarity, by one member and
by the ensemble. The plain loop does the same in the obvious way: image by image, member by member, view by view, the
network as it was trained, gradients on, softmax and entropies in numpy; the temperature, the rule of classes and the
distance of features are lunarsite's own. ONNX Runtime gives probability, mutual information and unfamiliarity.

Parts take turns, round by round, and the best round of each counts: other work on the machine disturbs all alike. CPU
seconds are told beside the clock's. Limits: the segmenter is at least as fast as the plain loop, by the CPU's seconds,
and gives 99.99 % of the pixels of an image the same class.
Exit status: 0 if they hold, 1 if not, 3 if ONNX Runtime is not installed and was left out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lunarsite.settings import RockInferenceSettings, RockLearningSettings

MODEL = Path(__file__).resolve().parents[1] / "resources" / "models" / "rock" / "rock.safetensors"
LEAST_RATIO = 1.0
LEAST_SAME = 0.9999


@dataclass
class Cost:
    """The best round so far."""

    seconds: float = float("inf")
    cpu_s: float = float("inf")

    def time(self, work: Callable[[], None]) -> None:
        """Run a round."""
        start, cpu = time.perf_counter(), time.process_time()
        work()
        self.seconds = min(self.seconds, time.perf_counter() - start)
        self.cpu_s = min(self.cpu_s, time.process_time() - cpu)


def model_of(path: Path | None) -> tuple[list[Any], Any]:
    """Return the members as they were trained, and the spec."""
    import torch

    from lunarsite.vision.rock.network import METHODS, RockSpec, Unfamiliarity, build, load_model, network_spec, spec_of

    if path is not None:
        members, card = load_model(path)
        return members, spec_of(card)
    learning = RockLearningSettings()
    torch.manual_seed(0)
    network = network_spec(learning.network, folded=False).model_copy(update={"encoder_weights": None})
    spec = RockSpec(
        network=network,
        head=learning.network.head,
        members=learning.members,
        temperature=dict.fromkeys(METHODS, 1.0),
        unfamiliarity=dict.fromkeys(METHODS, Unfamiliarity(statistic="feature_distance", limit=1.0)),
    )
    return [build(network, spec.head).eval() for _ in range(spec.members)], spec


def pictures(count: int, size: int) -> list[Any]:
    """Return made-up ground under a black sky."""
    from scipy import ndimage

    rng, made = np.random.default_rng(0), []
    for _ in range(count):
        ground = 110.0 + 400.0 * ndimage.gaussian_filter(rng.standard_normal((size, size)), 3.0)
        ground[: size // 3] = 0.0
        made.append(np.repeat(np.clip(ground, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2))
    return made


def plain_loop(members: Sequence[Any], image: Any, flips: int, temperature: float) -> tuple[Any, ...]:
    """Return what the segmenter returns of a picture whose sides are multiples of 32, in the obvious way."""
    import torch

    from lunarsite.vision.rock.familiarity import distance
    from lunarsite.vision.rock.network import headed
    from lunarsite.vision.rock.uncertainty import classes_of, tempered

    found, distances = [], []
    for member in members:
        views = []
        for axes in ((), (1,), (0,), (0, 1))[:flips]:
            seen = np.flip(image, axes).astype(np.float32).transpose(2, 0, 1)
            levels = member.unet.encoder(torch.from_numpy((seen - 127.5) / 127.5)[None])
            if not axes:
                distances.append(float(distance(member, levels).detach()))
            logits = headed(member, member.unet.decoder(levels), upside_down=0 in axes).detach().numpy()[0]
            powers = np.exp(logits - logits.max(axis=0))
            views.append(np.flip(powers / powers.sum(axis=0), [1 + axis for axis in axes]))
        found.append(np.mean(views, axis=0))
    mean = np.mean(found, axis=0)

    def entropy(values: Any) -> Any:
        return -(values * np.log(np.maximum(values, 1e-12))).sum(axis=0)

    calibrated = tempered(mean, temperature)
    disagreement = entropy(mean) - np.mean([entropy(member) for member in found], axis=0)
    return calibrated, classes_of(calibrated), entropy(calibrated), disagreement, np.mean(distances)


def main() -> int:
    """Print what each way takes."""
    import torch

    from lunarsite.vision.learn import LearningError
    from lunarsite.vision.rock.folding import folded
    from lunarsite.vision.rock.onnx_export import export, session_of
    from lunarsite.vision.rock.segmenter import Segmenter

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=480)
    parser.add_argument("--flips", type=int, choices=(1, 2, 4), default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    members, spec = model_of(given.model or (MODEL if MODEL.is_file() else None))
    segmenter = Segmenter([folded(member) for member in members], spec)
    images = pictures(given.images, given.size)
    print(f"{given.images} images of {given.size} x {given.size} px, {given.flips} views, {len(members)} members,"
          f" {given.threads} threads")  # fmt: skip
    fast, alike, peer = True, True, True
    with tempfile.TemporaryDirectory() as folder:
        for method in ("single", "ensemble"):
            settings = RockInferenceSettings(method=method, flips=given.flips, longest_side_px=given.size)
            some = members if method == "ensemble" else members[:1]
            temperature = spec.temperature[method]
            ways: dict[str, Callable[[Any], Any]] = {
                "plain loop": lambda image, some=some, t=temperature: plain_loop(some, image, given.flips, t),
                "segmenter": lambda image, settings=settings: segmenter.segment(image, settings),
            }
            path = Path(folder) / f"{method}.onnx"
            try:
                session = session_of(path) if export(segmenter, settings, path, {}, images[:1]) else None
            except LearningError:  # the package onnx is not installed
                session = None
            if session is not None:
                ways["ONNX Runtime"] = lambda image, s=session: s.run(
                    None, {"image": image.transpose(2, 0, 1)[None].astype(np.float32)}
                )
            peer &= session is not None
            same = (ways["plain loop"](images[0])[1] == ways["segmenter"](images[0]).classes).mean()
            costs = {name: Cost() for name in ways}
            for _ in range(given.rounds):
                for name, way in ways.items():
                    costs[name].time(lambda way=way: [way(image) for image in images])
            for name, cost in costs.items():
                ratio = costs["plain loop"].seconds / cost.seconds, costs["plain loop"].cpu_s / cost.cpu_s
                print(f"  {method:<9} {name:<13} {given.images / cost.seconds:7.2f} images/s"
                      f" {cost.cpu_s / given.images:7.3f} CPU s per image, {ratio[0]:5.2f} times the plain loop's speed"
                      f" ({ratio[1]:.2f} by CPU)")  # fmt: skip
            print(f"  {method:<9} {100.0 * same:.3f} % of the pixels of one image have the plain loop's class")
            fast &= costs["plain loop"].cpu_s / costs["segmenter"].cpu_s >= LEAST_RATIO
            alike &= bool(same >= LEAST_SAME)
    print(f"at least {LEAST_RATIO:g} times the plain loop: {'holds' if fast else 'FAILS'}")
    print(f"the class of the plain loop at {LEAST_SAME:.2%} of the pixels: {'holds' if alike else 'FAILS'}")
    if not peer:
        print("ONNX Runtime is not installed and was left out (pip install 'lunarsite[onnx]')")
    return 1 if not (fast and alike) else 0 if peer else 3


if __name__ == "__main__":
    sys.exit(main())
