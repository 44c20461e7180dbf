"""The last layer that knows the horizon: products of probabilities, and sizes by how far below it a rock is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lunarsite.vision.rock.head import HorizonHead, horizon, rows_of_ground
from lunarsite.vision.rock.network import head_of, load_model, spec_of

from .made_model import write_model


def head(channels: int = 5) -> HorizonHead:
    torch.manual_seed(3)
    return HorizonHead(channels)


def test_rock_is_sure_whatever_its_size() -> None:
    layer, features = head(), torch.randn(2, 5, 12, 20, generator=torch.Generator().manual_seed(1))
    logits = layer(features)
    assert logits.shape == (2, 4, 12, 20)
    told, kind = logits.softmax(dim=1), layer.kind(features).softmax(dim=1)
    torch.testing.assert_close(told[:, 1] + told[:, 2], kind[:, 1])
    torch.testing.assert_close(told[:, 0], kind[:, 0])
    torch.testing.assert_close(told[:, 3], kind[:, 2])


def test_rows_below_the_horizon_are_counted_in_each_column() -> None:
    sky = torch.zeros(1, 1, 8, 3)
    sky[:, :, :5, 0] = 1.0  # the horizon lies below row 4
    sky[:, :, 3, 2] = 0.5  # a doubtful pixel counts half
    below, top, anywhere = horizon(sky)
    rows = (below + 4.0).exp() - 1.0
    torch.testing.assert_close(rows[0, 0, :, 0], torch.tensor([0.0, 0, 0, 0, 0, 1, 2, 3]), atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(rows[0, 0, :, 1], torch.arange(1.0, 9.0))
    torch.testing.assert_close(rows[0, 0, -1, 2], torch.tensor(7.5))
    assert top[0, 0, 7].tolist() == [1.0, 0.0, 0.0]
    assert (anywhere == 1.0).all()


def _same_rock(sky_rows: int) -> Tensor:
    """Features: rock everywhere below a sky of so many rows; (1, 2, 40, 4)."""
    features = torch.zeros(1, 2, 40, 4)
    features[:, 0] = -1.0
    features[:, 0, :sky_rows] = 1.0
    return features


def test_of_two_rocks_alike_the_one_nearer_to_the_horizon_is_larger() -> None:
    layer = head(2)
    with torch.no_grad():
        for values in layer.parameters():
            values.zero_()
        layer.kind.weight[2, 0, 1, 1] = 40.0  # sky by the first feature
        layer.size[0].weight[0, 2] = -1.0  # type: ignore[operator]
        layer.size[0].bias[0] = 4.0  # type: ignore[operator]
        layer.size[2].weight[0, 0] = 1.0  # type: ignore[operator]
    with torch.inference_mode():
        far, near = (layer(_same_rock(rows)).softmax(dim=1)[0, :, 30, 1] for rows in (28, 4))
    assert float(far[2] / far[1]) > float(near[2] / near[1])


def test_sizes_do_not_teach_what_is_sky() -> None:
    layer, features = head(), torch.randn(1, 5, 8, 8)
    logits = layer(features)
    (logits[:, 2] - logits[:, 1]).sum().backward()
    assert layer.kind.weight.grad is None or not layer.kind.weight.grad.any()
    assert layer.size[-1].weight.grad.any()  # type: ignore[union-attr, operator]


def test_a_model_file_brings_it_along(tmp_path: Path) -> None:
    members, card = load_model(write_model(tmp_path / "model.safetensors"))
    assert spec_of(card).head == "horizon"
    assert [head_of(member) for member in members] == ["horizon", "horizon"]


def test_a_picture_on_its_head_has_rocks_of_the_same_sizes() -> None:
    layer, features = head(), torch.randn(1, 5, 24, 8)
    with torch.no_grad():
        # The first convolution is then the same upside down.
        layer.kind.weight.copy_(0.5 * (layer.kind.weight + layer.kind.weight.flip(2)))
    turned = layer(features.flip(2), upside_down=True).flip(2)
    torch.testing.assert_close(turned, layer(features), atol=1e-4, rtol=1e-4)
    assert (layer(features.flip(2)).flip(2) - layer(features)).abs().max() > 0.01


def test_sums_do_not_hang_on_their_order() -> None:
    sky = torch.rand(2, 1, 480, 64, generator=torch.Generator().manual_seed(1))
    above, beneath = rows_of_ground(sky), rows_of_ground(sky.flip(2)).flip(2)
    assert torch.equal(above * 4096.0, (above * 4096.0).round()), "whole numbers are summed"
    assert torch.equal(above[:, :, -1], beneath[:, :, 0]), "from above and from below, to the last bit"
    assert torch.equal(above[:, :, :-1] + beneath[:, :, 1:], above[:, :, -1:].expand(-1, -1, 479, -1))
    torch.testing.assert_close(above, (1.0 - sky).cumsum(dim=2), atol=480 / 8192, rtol=0.0)


def test_no_floats_are_summed_along_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, summed = torch.Tensor.cumsum, []

    def whole_numbers_alone(values: Tensor, *given: Any, **named: Any) -> Tensor:
        # So CUDA has it where it must be deterministic.
        assert not values.is_floating_point(), "CUDA sums no floats in an order of its own"
        summed.append(values.dtype)
        return plain(values, *given, **named)

    monkeypatch.setattr(torch.Tensor, "cumsum", whole_numbers_alone)
    layer, features = head(), torch.randn(1, 5, 12, 20, requires_grad=True)
    layer(features).square().sum().backward()
    layer(features, upside_down=True)
    assert summed == [torch.int32, torch.int32]


@pytest.mark.parametrize("rows", [32, 96])
def test_what_is_padded_below_changes_nothing_above(rows: int) -> None:
    layer, features = head(), torch.randn(1, 5, rows, 16)
    more = torch.cat((features, torch.randn(1, 5, 32, 16)), dim=2)
    torch.testing.assert_close(layer(more)[:, :, : rows - 1], layer(features)[:, :, : rows - 1])
