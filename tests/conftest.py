"""The tiny run, made once for all tests that look at a finished run. They share one worker: xdist_group("tiny")."""

from __future__ import annotations

import pytest

from .workflow.checkout import Checkout


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A copy of the checkout in which the tiny run was made. Who changes it puts it back."""
    checkout = Checkout.copy(tmp_path_factory.mktemp("tiny"))
    checkout.snakemake("--notemp")  # so that the shards' partials can be looked at
    return checkout
