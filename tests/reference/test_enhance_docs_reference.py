"""The page on seeing into shadow tells what the reference run measured (`make reference`)."""

from __future__ import annotations

import os

import pytest

from lunarsite.artefact import record
from lunarsite.artefact.contracts import ENHANCE_RECORD
from lunarsite.publish.enhance_table import filled
from tests.workflow.checkout import REPOSITORY

RECORD = REPOSITORY / os.environ.get("LUNARSITE_REFERENCE_RUN", "results/reference") / "validate" / "enhance.json"

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not RECORD.exists(), reason=f"REFERENCE RUN NOT MADE: no {RECORD}; make reference"),
]


def test_the_page_tells_what_this_run_measured() -> None:
    page = (REPOSITORY / "docs" / "enhance.md").read_text(encoding="utf-8")
    told = filled(page, record.read(RECORD, ENHANCE_RECORD)[0])
    assert told == page, f"fill it: python -m lunarsite.publish.enhance_table {RECORD} docs/enhance.md"
