"""The tiny run, made once for all tests that look at a finished run. They share one worker: xdist_group("tiny")."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

import lunarsite
from lunarsite.command import key_compiled_kernels

from .workflow.checkout import Checkout

# Before anything imports numba: kernels that an older state of the code compiled must not run in tests.
key_compiled_kernels(Path(lunarsite.__file__).parent)

# The same examples everywhere, and no example fails because the machine is busy.
settings.register_profile("lunarsite", deadline=None, derandomize=True)
settings.load_profile("lunarsite")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A copy of the checkout in which the tiny run was made. Who changes it puts it back."""
    checkout = Checkout.copy(tmp_path_factory.mktemp("tiny"))
    checkout.snakemake("--notemp")  # so that the shards' partials can be looked at
    return checkout
