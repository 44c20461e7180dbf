"""Whether Kaggle's client is there and would fetch anything: asked by lists too, so nothing heavy is imported here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

CLIENT = "kaggle"


def client(environment: Mapping[str, str]) -> str | None:
    """Return the path of Kaggle's client, or None if it is not installed or the user has no token for it.

    Args:
        environment: The process's environment: PATH, HOME, and the names that the client itself looks at.
    """
    return None if lacks(environment) else shutil.which(CLIENT, path=environment.get("PATH", os.defpath))


def lacks(environment: Mapping[str, str]) -> str:
    """Return why Kaggle's client would fetch nothing: it is not installed, or there is no token; '' if it would."""
    if shutil.which(CLIENT, path=environment.get("PATH", os.defpath)) is None:
        return "it is not on the PATH (pip install kaggle)"
    named = all(environment.get(name) for name in ("KAGGLE_USERNAME", "KAGGLE_KEY"))
    home = Path(environment["HOME"]) if environment.get("HOME") else Path.home()
    folder = Path(environment.get("KAGGLE_CONFIG_DIR") or home / ".kaggle")
    token = folder / "kaggle.json"
    if named or token.is_file():
        return ""
    return f"no credentials: neither KAGGLE_USERNAME and KAGGLE_KEY are set nor is there {token}"
