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


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse versions of pytest and xdist that do not keep groups together: every worker would make the tiny run."""
    if not getattr(session.config.option, "loadgroup", False):
        return
    loose = [item.nodeid for item in session.items if item.get_closest_marker("xdist_group") and "@" not in item.nodeid]
    if loose:
        raise pytest.UsageError(f"these tests lost their group, see pytest's bound in pyproject.toml: {loose[:3]}")
