"""Statistics that folding took from an encoder's normalisation come back without a change of what it says."""

from __future__ import annotations

import torch
from torch import nn

from lunarsite.vision.learn.encoder_weights import is_folded, renormalise


def chain() -> nn.Sequential:
    """Two convolutions with the identity as normalisation and biases in it, as unfolding leaves them."""
    torch.manual_seed(4)
    body = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU6(),
        nn.Conv2d(8, 4, 1, bias=False), nn.BatchNorm2d(4),
    )  # fmt: skip
    for layer in body:
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.bias, 1.0)
            assert layer.running_var is not None
            layer.running_var.fill_(1.0 - layer.eps)
    return body.eval()


def test_what_is_said_stays_and_a_batch_says_the_same() -> None:
    body, images = chain(), torch.randn(4, 3, 16, 16)
    with torch.no_grad():
        expected = body(images)
        # Before, a batch of its own undoes the biases.
        assert not torch.allclose(chain().train()(images), expected, atol=0.1)
        renormalise(body, images)
        assert not body.training
        assert torch.allclose(body(images), expected, atol=1e-5)
        elsewhere = torch.randn(2, 3, 16, 16)
        assert torch.allclose(body(elsewhere), chain()(elsewhere), atol=1e-5)
        assert torch.allclose(body.train()(images), expected, atol=1e-5)
    first = body[1]
    assert isinstance(first, nn.BatchNorm2d)
    assert first.running_var is not None
    assert not torch.allclose(first.running_var, torch.ones(8), atol=1e-2)


def test_folded_names() -> None:
    weight = torch.zeros(1)
    assert is_folded({"000_conv.weight": weight, "001_dw.bias": weight})
    assert not is_folded({"000_conv.weight": weight, "conv_stem.weight": weight})
    assert not is_folded({})
