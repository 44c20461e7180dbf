"""A model and a folder of pictures that the word `rocks` is called with."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from lunarsite.vision.rock import one_folder

from .made_model import made_image, write_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "model.safetensors")


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch) -> None:
    # The package may be edited while the tests run.
    monkeypatch.setattr(one_folder, "_code", lambda: "0123456789abcdef")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    place.mkdir()
    Image.fromarray(made_image(60, 90, 1)).save(place / "b.png")
    Image.fromarray(made_image(150, 200, 2)).save(place / "a.tif")
    (place / "notes.txt").write_text("no picture")
    (place / "inside").mkdir()
    Image.fromarray(made_image(20, 20)).save(place / "inside" / "c.png")
    return place
