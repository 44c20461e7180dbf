"""The crater network: relief in, maps of crater centres, sizes and rims out.

Heights are divided by the pixel size, so a crater of d/D looks the same on every level of the pyramid, and one network
serves all diameters. The front end turns heights into channels that neither an offset nor the regional relief reaches;
it is part of the network, so that training and inference cannot differ in it. A body of `vision.learn` does the rest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lunarsite.settings import NetworkSettings
from lunarsite.vision.learn.networks import NetworkSpec, build

STRIDE = 2
"""Pixels of the input per pixel of the output."""
DIAMETERS_PX = tuple(9.5 * 2.0 ** (step / 2.0) for step in range(4))
"""Diameters at which the four centre maps respond most, input pixels; half an octave apart."""
CHANNELS = ("high-pass 2 px", "high-pass 6 px", "high-pass 20 px", "slope", "local contrast")
OUTPUTS = (
    *(f"centre {d:.1f} px" for d in DIAMETERS_PX),
    *(f"log2(D / {d:.1f} px)" for d in DIAMETERS_PX),
    "rim",
)
_SIZES = len(DIAMETERS_PX)
_PRIOR_LOGIT = -5.0
"""Centres are rare: without this the first steps only learn that."""
_SIGMAS_PX = 0.1, 20.0
"""Wider ones would be pooled by more than 8 px, of which a front end's height and width need not be multiples."""
_LARGEST_VALUE = 1e6
"""No value of a front end that works comes near to it."""


@dataclass(frozen=True)
class FrontSpec:
    """How heights in pixels become channels: widths of the high-passes, and what scales each channel to about one."""

    sigmas_px: tuple[float, float, float] = (2.0, 6.0, 20.0)
    gains: tuple[float, float, float] = (12.0, 4.0, 1.5)
    slope_gain: float = 5.0
    slope_offset: float = 0.7
    contrast_limit: float = 4.0


class FrontEnd(nn.Module):
    """(N, 1, H, W) heights over pixel size, NaN without data -> (N, 5, H, W) channels, 0 without data.

    H and W are multiples of 8. Averages are normalised by what is there, so neither a border nor a hole makes a step.
    """

    def __init__(self, spec: FrontSpec | None = None) -> None:
        super().__init__()
        self.spec = spec or FrontSpec()
        # A wide Gaussian is as good, and thirty times cheaper, on means of a few pixels.
        self.pools = tuple(max(1, 2 ** int(math.log2(max(sigma / 2.5, 1.0)))) for sigma in self.spec.sigmas_px)
        for index, (sigma, pool) in enumerate(zip(self.spec.sigmas_px, self.pools, strict=True)):
            self.register_buffer(f"kernel_{index}", _gaussian(sigma / pool), persistent=False)

    def forward(self, heights: Tensor) -> Tensor:
        """Return the channels."""
        known = torch.isfinite(heights).to(heights.dtype)
        filled = torch.nan_to_num(heights)
        count = known.sum((2, 3), keepdim=True).clamp(min=1.0)
        # Removing the mean keeps float32's precision for the relief.
        filled = (filled - (filled * known).sum((2, 3), keepdim=True) / count) * known
        weights = [self._blur(known, index).clamp(min=1e-3) for index in range(3)]
        means = [self._blur(filled, index) / weights[index] for index in range(3)]
        passes = [(filled - mean) * known for mean in means]
        ground = torch.where(known > 0.0, filled, means[2])
        padded = functional.pad(ground, (1, 1, 1, 1), mode="replicate")
        east = 0.5 * (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2])
        north = 0.5 * (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1])
        slope = torch.sqrt(east.square() + north.square())
        spread = torch.sqrt((self._blur(passes[1].square(), 2) / weights[2]).clamp(min=0.0) + 1e-4)
        contrast = (passes[1] / spread).clamp(-self.spec.contrast_limit, self.spec.contrast_limit)
        relief = [torch.asinh(gain * part) for gain, part in zip(self.spec.gains, passes, strict=True)]
        slope = (self.spec.slope_gain * slope - self.spec.slope_offset) * known
        return torch.cat([*relief, slope, contrast], dim=1)

    def _blur(self, values: Tensor, index: int) -> Tensor:
        pool, kernel = self.pools[index], self.get_buffer(f"kernel_{index}")
        reach = kernel.numel() // 2
        coarse = functional.avg_pool2d(values, pool) if pool > 1 else values
        coarse = functional.conv2d(coarse, kernel.view(1, 1, 1, -1), padding=(0, reach))
        coarse = functional.conv2d(coarse, kernel.view(1, 1, -1, 1), padding=(reach, 0))
        if pool == 1:
            return coarse
        return functional.interpolate(coarse, scale_factor=pool, mode="bilinear", align_corners=False)


class CraterNetwork(nn.Module):
    """(N, 1, H, W) heights over pixel size -> (N, 9, H / 2, W / 2): logits of centres, sizes, logit of rims."""

    def __init__(self, body: NetworkSpec, front: FrontSpec | None = None) -> None:
        super().__init__()
        self.front = FrontEnd(front)
        self.body = build(body)
        bias = self.body.last.bias
        if bias is not None:
            with torch.no_grad():
                bias[:_SIZES] = _PRIOR_LOGIT

    def forward(self, heights: Tensor) -> Tensor:
        """Return the raw outputs in the order of `OUTPUTS`."""
        channels = self.front(heights).contiguous(memory_format=torch.channels_last)
        raw: Tensor = self.body(channels)
        return raw.float()


class Response(nn.Module):
    """The network with its logits turned into 0..1; sizes stay. What inference averages over views and tiles."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, heights: Tensor) -> Tensor:
        """Return (N, 9, H / 2, W / 2)."""
        raw = self.network(heights)
        return torch.cat([raw[:, :_SIZES].sigmoid(), raw[:, _SIZES : 2 * _SIZES], raw[:, 2 * _SIZES :].sigmoid()], 1)


def body_spec(settings: NetworkSettings) -> NetworkSpec:
    """Return the spec of the body that the settings ask for, fitted to the front end and the outputs."""
    return NetworkSpec.model_validate(
        {**settings.model_dump(mode="json"), "inputs": len(CHANNELS), "outputs": len(OUTPUTS), "stride": STRIDE}
    )


def to_spec(body: NetworkSpec) -> dict[str, Any]:
    """Return what a model's card says of the network."""
    front = FrontSpec()
    return {
        "body": body.to_json(),
        "front": {"sigmas_px": list(front.sigmas_px), "gains": list(front.gains), "slope_gain": front.slope_gain,
                  "slope_offset": front.slope_offset, "contrast_limit": front.contrast_limit},
        "diameters_px": list(DIAMETERS_PX),
    }  # fmt: skip


def from_spec(spec: Mapping[str, Any]) -> CraterNetwork:
    """Return the network that a card describes, its weights still random.

    Raises:
        ValueError: It was built for other diameters, the card lacks a part, or a part of it makes no sense here.
    """
    try:
        front, body = _front_of(spec["front"]), NetworkSpec.model_validate(spec["body"])
        for name, value, ours in (
            ("inputs", body.inputs, len(CHANNELS)),
            ("outputs", body.outputs, len(OUTPUTS)),
            ("stride", body.stride, STRIDE),
        ):
            if value != ours:
                raise ValueError(f"body.{name} is {value}, a crater network has {ours}")
        if not all(math.isclose(a, b) for a, b in zip(spec["diameters_px"], DIAMETERS_PX, strict=True)):
            raise ValueError(f"the model responds to {spec['diameters_px']} px, this version to {list(DIAMETERS_PX)}")
        return CraterNetwork(body, front)
    except (KeyError, TypeError) as error:
        raise ValueError(f"the card describes no crater network ({error!r})") from error


def _front_of(part: Any) -> FrontSpec:
    """Return the front end that a card describes: every value is there, none is left to a default.

    Raises:
        ValueError: A value is missing, unknown, of the wrong type or beyond what the front end can be built with.
    """
    names = [field.name for field in fields(FrontSpec)]
    if not isinstance(part, Mapping) or set(part) != set(names):
        raise ValueError(f"the card describes no crater network (front has not exactly the values {names})")
    values = {name: part[name] for name in names}
    for name in ("sigmas_px", "gains"):
        if not isinstance(part[name], (list, tuple)) or len(part[name]) != 3:
            raise ValueError(f"front.{name} is {part[name]!r}, needed are three numbers")
        values[name] = tuple(_finite(f"front.{name}", value) for value in part[name])
    for name in ("slope_gain", "slope_offset", "contrast_limit"):
        values[name] = _finite(f"front.{name}", part[name])
    low, high = _SIGMAS_PX
    if not all(low <= sigma <= high for sigma in values["sigmas_px"]):
        raise ValueError(f"front.sigmas_px is {part['sigmas_px']}, needed are widths of {low:g} to {high:g} px")
    if values["contrast_limit"] <= 0.0:
        raise ValueError(f"front.contrast_limit is {part['contrast_limit']}, needed is a number above 0")
    return FrontSpec(**values)


def _finite(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= _LARGEST_VALUE:
        raise ValueError(f"{name} holds {value!r}, needed is a number within {_LARGEST_VALUE:g} of 0")
    return float(value)


def _gaussian(sigma_px: float) -> Tensor:
    reach = math.ceil(3.0 * sigma_px)
    at = torch.arange(-reach, reach + 1, dtype=torch.float32)
    weights = torch.exp(-at.square() / (2.0 * sigma_px * sigma_px))
    return weights / weights.sum()
