"""A model of rocks as ONNX: one file with normalisation, members, mirrored views, their mean and its calibration.

Input 'image' (N, 3, H, W) float32: red, green and blue, 0 to 255, sides multiples of 32. Outputs 'probability'
(N, 4, H, W), calibrated, 'mutual_information' (N, H, W), nats, and 'unfamiliarity' (N,). What the file cannot hold,
reducing and padding images and the limit of unfamiliarity, its metadata tells in words and numbers.

The graph is traced (torch's older exporter): the newer one follows every size as a symbol and takes minutes for each
member, and needs a further library. What tracing fixes is the padding by the encoder, which is the same for all
multiples of 32; sizes and batch stay free, and the check after the export runs other sizes than the traced one.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lunarsite.artefact.atomic import replacing
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.settings.rock import RockInferenceSettings
from lunarsite.vision.learn import LearningError
from lunarsite.vision.learn.networks import MULTIPLE_PX, SmpUnet
from lunarsite.vision.rock.classes import CLASSES, LARGE, SKY, SMALL
from lunarsite.vision.rock.familiarity import distance
from lunarsite.vision.rock.network import headed
from lunarsite.vision.rock.segmenter import Segmenter
from lunarsite.vision.rock.uncertainty import classes_of
from lunarsite.vision.rock.views import AS_IT_IS, padded, reduced, views_of

OPSET = 18
LEAST_AGREEING = 0.999
"""Share of the pixels whose class must be the same in ONNX Runtime."""
MOST_UNFAMILIAR = 0.01
"""By which an image's unfamiliarity may differ there, as a share of the limit."""
_TRACED = (1, 3, 2 * MULTIPLE_PX, 3 * MULTIPLE_PX)
_LEAST = 1e-12
_MEND = "pip install 'lunarsite[onnx]'"


@dataclass(frozen=True)
class Agreement:
    """How well an ONNX file agrees with the model it was made of."""

    images: int
    share: float
    """Of the pixels that have the same class."""
    most_difference: float
    """Largest difference of a probability."""
    most_unfamiliarity_difference: float
    """Largest difference of an image's unfamiliarity, as a share of the limit."""


class Pooled(nn.Module):
    """Maps (N, 3, H, W), 0..255, to calibrated probability, mutual information and unfamiliarity."""

    def __init__(self, segmenter: Segmenter, settings: RockInferenceSettings) -> None:
        super().__init__()
        if settings.method == "dropout" or settings.scales != (1.0,):
            raise LearningError("as ONNX a model has the method 'ensemble' or 'single', and the one scale 1")
        members = segmenter.members if settings.method == "ensemble" else segmenter.members[:1]
        self.members = nn.ModuleList(members)
        self.views = views_of(settings)
        self.temperature = segmenter.spec.temperature[settings.method]

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return (N, 4, H, W), (N, H, W) and (N,)."""
        given = (image - 127.5) / 127.5
        found, distances = [], []
        for member in self.members:
            body: Any = cast(SmpUnet, member).unet
            views = []
            for view in self.views:
                levels = body.encoder(_turned(given, view.flip))
                if view == AS_IT_IS:
                    distances.append(distance(member, levels))
                features = body.decoder(levels)
                logits = headed(member, features, upside_down=view.upside_down)
                views.append(_turned(logits.softmax(dim=1), view.flip))
            found.append(torch.stack(views).mean(dim=0))
        mean = torch.stack(found).mean(dim=0)
        entropies = torch.stack([_entropy(member) for member in found]).mean(dim=0)
        disagreement = (_entropy(mean) - entropies).clamp_min(0.0)
        return _tempered(mean, self.temperature), disagreement, torch.stack(distances).mean(dim=0)


def _tempered(probability: Tensor, temperature: float) -> Tensor:
    """Return what `uncertainty.tempered` gives, of (N, 4, H, W)."""
    ground, rocks, sky = probability[:, :SMALL], probability[:, SMALL : LARGE + 1], probability[:, SKY:]
    kinds = torch.cat((ground, rocks.sum(dim=1, keepdim=True), sky), dim=1)
    kinds, sizes = ((one.clamp_min(_LEAST).log() / temperature).softmax(dim=1) for one in (kinds, rocks))
    return torch.cat((kinds[:, :1], kinds[:, 1:2] * sizes, kinds[:, 2:]), dim=1)


def export(
    segmenter: Segmenter,
    settings: RockInferenceSettings,
    out: Path,
    about: Mapping[str, Any],
    images: Iterable[NDArray[np.uint8]],
) -> Agreement | None:
    """Write a model as ONNX; the file appears when it has passed its check.

    Args:
        segmenter: The model.
        settings: Method ('ensemble' or 'single') and mirrored views; the length that images are reduced to is told.
        out: The file.
        about: What else its metadata shall tell: name and text or JSON.
        images: (H, W, 3) each, on which ONNX Runtime must give the same classes.

    Returns:
        How well it agrees; None where ONNX Runtime is not installed, so that nothing was checked.

    Raises:
        LearningError: The package onnx is not installed, or the method cannot be exported.
        ArtefactError: The classes differ on more than one pixel of a thousand, or an image's unfamiliarity does.
    """
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise LearningError(f"the package 'onnx' is not installed; {_MEND}") from error
    pooled = Pooled(segmenter, settings).eval()
    with replacing(out) as partial:
        _trace(pooled, partial)
        _describe(partial, _told(segmenter, settings) | dict(about))
        agreement = _compare(segmenter, settings, partial, images)
        if agreement is not None and (off := agreement.most_unfamiliarity_difference) > MOST_UNFAMILIAR:
            raise ArtefactError(
                f"{out}: ONNX Runtime gives an image's unfamiliarity wrongly, by {off:.2%}"
                f" of the limit, allowed are {MOST_UNFAMILIAR:.0%}; nothing was written"
            )
        if agreement is not None and agreement.share < LEAST_AGREEING:
            raise ArtefactError(
                f"{out}: ONNX Runtime gives the same class on {agreement.share:.4%} of the pixels, wanted are"
                f" {LEAST_AGREEING:.1%}; nothing was written"
            )
    return agreement


def made_up_images() -> Iterator[NDArray[np.uint8]]:
    """Yield a few images of sizes unlike the traced one: a black sky over smooth noise, seeded."""
    from scipy import ndimage

    for seed, (height, width) in enumerate(((96, 160), (256, 384), (250, 130))):
        noise = np.random.default_rng(seed).standard_normal((height, width, 3))
        ground = 120.0 + 60.0 * sum(ndimage.gaussian_filter(noise, (s, s, 0)) * s for s in (2.0, 5.0, 12.0))
        ground[: height // 3] = 0.0
        yield np.clip(ground, 0.0, 255.0).astype(np.uint8)


def run(session: Any, image: NDArray[np.uint8], longest_side_px: int) -> tuple[NDArray[np.float32], float]:
    """Return what an ONNX Runtime session says of an image (H, W, 3): probability (4, h, w) and unfamiliarity."""
    small = reduced(image, longest_side_px)
    given = padded(torch.from_numpy(small.transpose(2, 0, 1).astype(np.float32))[None]).numpy()
    probability, unfamiliarity = session.run(["probability", "unfamiliarity"], {"image": given})
    return probability[0, :, : small.shape[0], : small.shape[1]], float(unfamiliarity[0])


def session_of(path: Path) -> Any | None:
    """Return an ONNX Runtime session of a file on the CPU, with torch's number of threads; None if not installed."""
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _turned(values: Tensor, axes: tuple[int, ...]) -> Tensor:
    return torch.flip(values, axes) if axes else values


def _entropy(probability: Tensor) -> Tensor:
    return -(probability * probability.clamp_min(_LEAST).log()).sum(dim=1)


def _trace(pooled: Pooled, path: Path) -> None:
    from torch.jit._trace import TracerWarning

    free = {0: "batch", 2: "height", 3: "width"}
    with warnings.catch_warnings():
        # Of the older exporter; torch is bounded above in pyproject.toml, and a test exports.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Of sizes that are looked at while it traces: multiples of 32 all lead the same way.
        warnings.simplefilter("ignore", TracerWarning)
        warnings.filterwarnings("ignore", message="Constant folding", category=UserWarning)
        torch.onnx.export(
            pooled,
            (torch.full(_TRACED, 127.0),),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["image"],
            output_names=["probability", "mutual_information", "unfamiliarity"],
            dynamic_axes={
                "image": free,
                "probability": free,
                "mutual_information": dict(enumerate(free.values())),
                "unfamiliarity": {0: "batch"},
            },
        )


def _told(segmenter: Segmenter, settings: RockInferenceSettings) -> dict[str, Any]:
    return {
        "classes": list(CLASSES),
        "class_of_a_pixel": (
            "first the greatest of background, small rocks plus large rocks, and sky; of rock then the greater of small"
            " and large"
        ),
        "input": (
            "RGB levels 0..255 as float32; reduce the image to 'longest_side_px' by averaging, pad it by reflection at"
            f" the right and below to multiples of {MULTIPLE_PX}, and cut the outputs back"
        ),
        "longest_side_px": settings.longest_side_px,
        "method": settings.method,
        "flips": settings.flips,
        "temperature": segmenter.spec.temperature[settings.method],
        "unfamiliarity": (
            "distance of the image's features from those of the images that taught (where all of the image's own pixels"
            " are sky nothing tells, whatever it is); above 'unfamiliarity_limit' the image is of another kind than the"
            " model knows, and its maps mean nothing"
        ),
        "unfamiliarity_limit": segmenter.spec.unfamiliarity[settings.method].limit,
    }


def _describe(path: Path, told: Mapping[str, Any]) -> None:
    import onnx

    model = onnx.load(path)
    onnx.helper.set_model_props(
        model, {name: value if isinstance(value, str) else json.dumps(value) for name, value in sorted(told.items())}
    )
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _compare(
    segmenter: Segmenter, settings: RockInferenceSettings, path: Path, images: Iterable[NDArray[np.uint8]]
) -> Agreement | None:
    session = session_of(path)
    if session is None:
        return None
    same = pixels = count = 0
    most = most_far = 0.0
    limit = segmenter.spec.unfamiliarity[settings.method].limit or 1.0
    for image in images:
        truth = segmenter.segment_reduced(image, settings)
        found, far = run(session, image, settings.longest_side_px)
        if truth.out_of_distribution is not None:  # without ground nothing is judged
            most_far = max(most_far, abs(far - truth.unfamiliarity) / limit)
        same += int(np.count_nonzero(classes_of(found) == truth.classes))
        most = max(most, float(np.abs(found.transpose(1, 2, 0) - truth.probability).max()))
        pixels, count = pixels + truth.classes.size, count + 1
    if not pixels:
        raise ArtefactError(f"{path}: no image to check the export with")
    return Agreement(count, same / pixels, most, most_far)
