"""The docs' table of what was measured is the record's."""

from __future__ import annotations

from pathlib import Path

import pytest

from lunarsite.artefact import contracts, record
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.publish.enhance_table import BEGIN, END, filled, main, measured
from tests.stage.fake_enhance import LEVELS, METHODS, enhance_record
from tests.unit.artefact.conftest import make_stamp

PAGE = Path(__file__).resolve().parents[3] / "docs" / "enhance.md"


def test_every_method_and_signal_has_a_row_and_every_claim_its_verdict() -> None:
    found = enhance_record()
    lines = measured(found).splitlines()
    assert len([line for line in lines if line.startswith("| ")]) == 2 + len(LEVELS) * len(METHODS)
    assert "| 20 | denoiser | 24.04 (23.7 to 24.4) | 0.431 (0.411 to 0.449) | 0.45" in measured(found)
    assert len([line for line in lines if line.startswith("- ")]) == len(found.verdicts)
    assert any(line.startswith("- **does not hold**: PSNR of the CycleGAN above") for line in lines)


def test_a_page_is_filled_between_its_marks_and_nowhere_else(tmp_path: Path) -> None:
    path, page = tmp_path / "enhance.json", tmp_path / "page.md"
    spec = contracts.ENHANCE_RECORD
    record.write(path, spec, enhance_record(), make_stamp(spec.name))
    page.write_text(f"before\n{BEGIN}\nstale\n{END}\nafter\n", encoding="utf-8")
    for _ in range(2):
        main([str(path), str(page)])
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"before\n{BEGIN}\n\n| electrons")
        assert text.endswith(f"{END}\nafter\n")
        assert "stale" not in text
    with pytest.raises(ArtefactError, match="no place"):
        filled("no marks", enhance_record())


def test_the_docs_have_the_place() -> None:
    assert filled(PAGE.read_text(encoding="utf-8"), enhance_record())
