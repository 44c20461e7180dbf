"""The network's front end and targets: what it must not see, and what it must say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lunarsite.settings import NetworkSettings
from lunarsite.vision.crater.loss import crater_loss
from lunarsite.vision.crater.network import (
    DIAMETERS_PX,
    OUTPUTS,
    STRIDE,
    CraterNetwork,
    FrontEnd,
    Response,
    body_spec,
    from_spec,
    to_spec,
)
from lunarsite.vision.crater.targets import rasterise

TINY = NetworkSettings(kind="plain-unet", channels=4, depth=2)


def relief(size: int = 96, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(np.cumsum(rng.normal(0, 0.1, (1, 1, size, size)), axis=-1).astype(np.float32))


def test_the_front_end_sees_no_offset() -> None:
    front = FrontEnd()
    ground = relief()
    assert torch.allclose(front(ground), front(ground + 900.0), atol=2e-3)


def test_the_front_end_sees_hardly_any_tilt_but_the_slope_of_it() -> None:
    rows = torch.arange(160, dtype=torch.float32).view(1, 1, -1, 1).expand(1, 1, 160, 160)
    channels = FrontEnd()(0.1 * rows)
    middle = channels[0, :, 70:90, 70:90]
    assert middle[:3].abs().max() < 0.02
    assert torch.allclose(middle[3], torch.tensor(5.0 * 0.1 - 0.7), atol=1e-3)


def test_missing_heights_give_zeros_and_no_step_beside_them() -> None:
    ground = relief()
    ground[..., 40:56, 40:56] = torch.nan
    channels = FrontEnd()(ground)
    assert torch.isfinite(channels).all()
    assert (channels[..., 40:56, 40:56] == 0.0).all()
    level = torch.zeros(1, 1, 96, 96)
    level[..., :30] = torch.nan
    passes = FrontEnd()(level + 55.0)[:, [0, 1, 2, 4]]
    assert passes.abs().max() < 1e-3


def test_the_front_end_commutes_with_turns_and_mirrors() -> None:
    front, ground = FrontEnd(), relief()
    assert torch.allclose(front(ground).rot90(1, (2, 3)), front(ground.rot90(1, (2, 3))), atol=2e-4)
    assert torch.allclose(front(ground).flip(3), front(ground.flip(3)), atol=2e-4)


def test_the_network_gives_its_outputs_at_half_resolution_and_is_rebuilt_from_its_card() -> None:
    torch.manual_seed(0)
    network = CraterNetwork(body_spec(TINY)).eval()
    raw = network(relief())
    assert raw.shape == (1, len(OUTPUTS), 96 // STRIDE, 96 // STRIDE)
    again = from_spec(to_spec(network.body.spec)).eval()
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(relief()), raw)
    values = Response(network)(relief())
    assert torch.equal(values[:, 4:8], raw[:, 4:8])
    assert values[:, :4].max() < 0.2, "centres are rare before the first step"


@pytest.mark.parametrize("change", [{"diameters_px": [1.0, 2.0, 3.0, 4.0]}, {"body": {}}, {"front": {"nonsense": 1}}])
def test_a_card_of_another_network_is_refused(change: dict[str, object]) -> None:
    spec = {**to_spec(body_spec(TINY)), **change}
    with pytest.raises(ValueError, match=r"model responds|crater network|validation error"):
        from_spec(spec)
    with pytest.raises(ValueError, match="crater network"):
        from_spec({})


def changed(part: str, **values: object) -> dict[str, object]:
    spec = to_spec(body_spec(TINY))
    return {**spec, part: {**spec[part], **values}}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (changed("front", sigmas_px=[2.0, 6.0, 20.1]), r"sigmas_px is .*0\.1 to 20 px"),
        (changed("front", sigmas_px=[0.0, 6.0, 20.0]), r"sigmas_px is .*0\.1 to 20 px"),
        (changed("front", sigmas_px=[2.0, 6.0]), "sigmas_px is .*three numbers"),
        (changed("front", sigmas_px=2.0), "sigmas_px is .*three numbers"),
        (changed("front", gains=[12.0, float("nan"), 1.5]), "front.gains holds nan"),
        (changed("front", gains=[12.0, "4", 1.5]), "front.gains holds '4'"),
        (changed("front", slope_gain=float("inf")), "front.slope_gain holds inf"),
        (changed("front", slope_offset=True), "front.slope_offset holds True"),
        (changed("front", contrast_limit=0.0), "contrast_limit is 0"),
        (changed("front", more=1.0), "not exactly the values"),
        ({**to_spec(body_spec(TINY)), "front": {"gains": [12.0, 4.0, 1.5]}}, "not exactly the values"),
        ({**to_spec(body_spec(TINY)), "front": [1.0]}, "not exactly the values"),
        (changed("body", inputs=4), "body.inputs is 4, a crater network has 5"),
        (changed("body", outputs=8), "body.outputs is 8, a crater network has 9"),
        (changed("body", stride=1), "body.stride is 1, a crater network has 2"),
    ],
)
def test_a_card_that_makes_no_sense_is_refused(spec: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_spec(spec)


def drawn(x: float, y: float, diameter: float, size: int = 96):
    return rasterise(*(np.array([value], np.float32) for value in (x, y, diameter)), (size, size))


def test_a_crater_speaks_at_its_centre_on_the_map_of_its_size() -> None:
    found = drawn(40.5, 30.5, DIAMETERS_PX[1])
    assert np.unravel_index(found.centre[1].argmax(), found.centre[1].shape) == (15, 20)
    assert found.centre[1].max() == pytest.approx(1.0)
    assert found.centre[0].max() == pytest.approx(found.centre[2].max(), abs=1e-6)
    assert 0.2 < found.centre[0].max() < 0.3
    assert found.centre[3].max() == 0.0
    assert found.size[1, 15, 20] == pytest.approx(0.0, abs=1e-6)
    assert found.size[0, 15, 20] == pytest.approx(0.5, abs=1e-6)
    radius = 0.25 * DIAMETERS_PX[1]
    rows, cols = np.nonzero(found.rim > 0.9)
    assert np.hypot(rows - 15.0, cols - 20.0) == pytest.approx(radius, abs=0.5)


def test_what_is_too_small_too_large_or_outside_says_nothing() -> None:
    for found in (drawn(40, 40, 4.0), drawn(40, 40, 200.0), drawn(-300, 40, 12.0)):
        assert found.centre.max() == 0.0
        assert found.rim.max() == 0.0


def test_the_loss_is_least_at_the_truth_and_blind_outside_the_weight() -> None:
    found = drawn(40.5, 30.5, 12.0)
    batch = {
        name: torch.from_numpy(getattr(found, name))[None] for name in ("centre", "size", "size_weight", "rim")
    } | {"weight": torch.ones(1, 48, 48)}

    def raw(centre: torch.Tensor, rim: torch.Tensor) -> torch.Tensor:
        return torch.cat([torch.logit(centre, 1e-4), batch["size"], torch.logit(rim, 1e-4)[:, None]], 1)

    truth = crater_loss(raw(batch["centre"], batch["rim"]), batch)[1]
    blank = crater_loss(raw(0.01 * torch.ones(1, 4, 48, 48), 0.01 * torch.ones(1, 48, 48)), batch)[1]
    assert truth["centre"] < 0.01 * blank["centre"]
    assert truth["size"] == 0.0
    assert truth["rim"] < blank["rim"]
    batch["weight"] = torch.zeros(1, 48, 48)
    total, _ = crater_loss(torch.randn(1, 9, 48, 48), batch)
    assert total == 0.0
