"""The members of the segmenter, and the model file that holds them with all that is needed to use them.

A member is a U-Net on an encoder that ImageNet has taught; its decoder drops channels, in training and in the passes of
Monte Carlo dropout. MobileNetV2's weights at hand were learned with TensorFlow's padding. segmentation-models-pytorch's
own MobileNetV2 pads otherwise and ends in 1280 channels that a decoder does not need; timm's pads as told, ends in 320
and is smaller by a third, so five members stay below 30 MB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, cast

import torch
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from torch import Tensor, nn

from lunarsite.artefact.contracts.rock import ROCK_MODEL
from lunarsite.artefact.model import Card
from lunarsite.artefact.stamp import Stamp
from lunarsite.settings.rock import RockNetworkSettings
from lunarsite.vision.learn import LearningError, networks
from lunarsite.vision.learn import encoder_weights as weights_files
from lunarsite.vision.learn.encoder_weights import Source
from lunarsite.vision.learn.networks import NetworkSpec
from lunarsite.vision.learn.saved import load, save
from lunarsite.vision.rock.classes import CLASSES, COUNT
from lunarsite.vision.rock.familiarity import with_familiarity
from lunarsite.vision.rock.head import HorizonHead

INPUTS = ("red, 0..255", "green, 0..255", "blue, 0..255")
NORMALISATION: dict[str, JsonValue] = {"mean": 127.5, "deviation": 127.5, "words": "(level - 127.5) / 127.5, -1..1"}
Method = Literal["single", "ensemble", "dropout"]
METHODS: tuple[Method, ...] = ("single", "ensemble", "dropout")
Statistic = Literal["feature_distance"]
Head = Literal["horizon", "plain"]
_FIELDS = ("rock.learning.network.encoder_weights", "encoder")

Temperature = Annotated[float, Field(gt=0.0, le=100.0, allow_inf_nan=False)]


class Unfamiliarity(BaseModel):
    """What tells an image of another kind, of one method."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    statistic: Statistic
    """The mean of the members' distances (see `familiarity`); of a single network or of dropout the first one's."""
    limit: Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
    """Images above it are out of distribution."""


class RockSpec(BaseModel):
    """What a model file is rebuilt from, and what its probabilities are calibrated with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: NetworkSpec
    head: Head = "plain"
    """The last layer: one that knows the horizon (`head.HorizonHead`), or segmentation-models-pytorch's own."""
    members: Annotated[int, Field(ge=1, le=20)]
    temperature: dict[Method, Temperature]
    """Of the mean probability of each method, whose logarithms are divided by it."""
    unfamiliarity: dict[Method, Unfamiliarity]

    def to_json(self) -> dict[str, JsonValue]:
        """Return the spec as a model card holds it."""
        return cast(dict[str, JsonValue], self.model_dump(mode="json"))


def network_spec(settings: RockNetworkSettings, folded: bool = False) -> NetworkSpec:
    """Return what a member of these settings is built from.

    Args:
        settings: The network.
        folded: Whether its encoder starts from folded weights, which pad as TensorFlow does.
    """
    return NetworkSpec(
        kind="smp-unet",
        inputs=3,
        outputs=COUNT,
        encoder=settings.encoder,
        encoder_weights="imagenet" if settings.encoder_weights == "imagenet" else None,
        decoder_channels=settings.decoder_channels,
        dropout=settings.dropout,
        padding="same" if folded else "symmetric",
    )


def build(spec: NetworkSpec, head: Head = "plain") -> nn.Module:
    """Return a member: (N, 3, H, W), sides multiples of 32, to logits (N, 4, H, W). Weights are torch's next draws.

    Raises:
        LearningError: There is no such encoder, or it has too few levels.
    """
    network = with_familiarity(cast(networks.SmpUnet, networks.build(spec)))
    if head == "horizon":
        network.unet.segmentation_head = HorizonHead(spec.decoder_channels[-1])
    return network


def headed(network: nn.Module, features: Tensor, *, upside_down: bool) -> Tensor:
    """Return the logits (N, 4, H, W) of a decoder's features; `upside_down`: the picture stands on its head."""
    last = cast(nn.Module, cast(networks.SmpUnet, network).unet.segmentation_head)
    return cast(Tensor, last(features, upside_down) if isinstance(last, HorizonHead) else last(features))


def head_of(network: nn.Module) -> Head:
    """Return which last layer a member has."""
    return "horizon" if isinstance(cast(networks.SmpUnet, network).unet.segmentation_head, HorizonHead) else "plain"


def start(settings: RockNetworkSettings, images: Tensor, seed: int) -> tuple[nn.Module, NetworkSpec, Source]:
    """Return a member to be trained, the spec that rebuilds it, and where its encoder's weights come from.

    Args:
        settings: The network.
        images: (N, 3, H, W), normalised images of those that it will learn from: folded weights take the statistics of
            their batch normalisation from them.
        seed: Of the weights that no file gives.

    Raises:
        LearningError: There is no such encoder, or the file does not hold its weights.
    """
    chosen = settings.encoder_weights
    path = None if chosen in (None, "imagenet") else Path(str(chosen))
    tensors = {} if path is None else weights_files.read(path, _FIELDS[0])
    folded = weights_files.is_folded(tensors)
    spec = network_spec(settings, folded)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(spec, settings.head)
    rebuilt = spec.model_copy(update={"encoder_weights": None})
    if path is None:
        return network, rebuilt, Source(settings.encoder, "imagenet" if chosen else "random", None)
    body = _encoder(network, settings.encoder)
    if folded:
        tensors = weights_files.unfolded(tensors, body, path)
    weights_files.fill(body, tensors, settings.encoder, path, _FIELDS)
    if folded:
        weights_files.renormalise(body, images)
    return network, rebuilt, Source(settings.encoder, path.name, weights_files.digest(path))


def save_model(
    path: Path,
    members: Sequence[nn.Module],
    spec: RockSpec,
    stamp: Stamp,
    training: Mapping[str, JsonValue],
    *,
    half: bool = True,
) -> None:
    """Write members and card; weights in 16 bits, statistics of batch normalisation in 32.

    Raises:
        LearningError: The spec has another number of members.
        ArtefactError: A weight is not finite or too large for 16 bits.
    """
    if len(members) != spec.members:
        raise LearningError(f"a model of {spec.members} members was given {len(members)}")
    card = Card(
        spec=spec.to_json(),
        inputs=INPUTS,
        normalisation=NORMALISATION,
        classes=CLASSES,
        training=dict(training),
    )
    save(path, ROCK_MODEL, nn.ModuleList(members), card, stamp, half=half)


def load_model(path: Path) -> tuple[list[nn.Module], Card]:
    """Return the members of a model file, ready for inference on the CPU, and its card; see `spec_of`.

    Raises:
        ArtefactError: The file breaks the contract, or its spec builds no members that its weights fit.
    """
    network, card, _ = load(path, ROCK_MODEL, _build_all)
    return list(cast(nn.ModuleList, network)), card


def spec_of(card: Card) -> RockSpec:
    """Return the spec of a model's card.

    Raises:
        LearningError: It is not one of this room.
    """
    try:
        found = RockSpec.model_validate(card.spec)
    except ValidationError as error:
        raise LearningError(f"the spec is not one of a segmenter of rocks: {error}") from error
    missing = [method for method in METHODS if method not in found.temperature or method not in found.unfamiliarity]
    if missing or card.classes != CLASSES:
        what = f"lacks a temperature or a limit for '{missing[0]}'" if missing else f"is of classes {card.classes}"
        raise LearningError(f"the spec of a segmenter of rocks {what}; train the model again")
    return found


def _build_all(spec: Mapping[str, JsonValue]) -> nn.Module:
    told = spec.get("unfamiliarity")
    limits = told.values() if isinstance(told, dict) else ()
    # Of a former layout: said in words, for its reader needs another mend than one whose file is broken.
    if not any(isinstance(one, dict) and one.get("statistic") == "feature_distance" for one in limits):
        raise LearningError("it tells strange images by another statistic than the distance of features")
    found = RockSpec.model_validate(spec)
    return nn.ModuleList([build(found.network, found.head) for _ in range(found.members)])


def _encoder(network: nn.Module, name: str) -> nn.Module:
    """Return the part of a member that a file of weights describes: timm's model, or smp's own encoder."""
    encoder = cast(nn.Module, cast(networks.SmpUnet, network).unet.encoder)
    return cast(nn.Module, encoder.model) if name.startswith("tu-") else encoder
