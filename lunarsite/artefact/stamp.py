"""The stamp that every artefact carries: what made it, from what, under which settings.

A stamp holds no time, so the same inputs, settings and code give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

SCHEMA_VERSION = 1
"""Rises whenever an artefact's layout changes; readers refuse any other."""

Origin = Literal["synthetic", "local", "published"]
_RANK: dict[str, int] = {"published": 0, "local": 1, "synthetic": 2}


class ArtefactError(ValueError):
    """A file that breaks its contract; the message names the file, what is wrong and what to do."""


class Stamp(BaseModel):
    """Provenance of one artefact."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA_VERSION
    artefact: str
    """Name of the contract that the file keeps, such as 'slope'."""
    stage: str
    """The stage that wrote it."""
    run: str
    settings_hash: str
    """SHA-256 of the canonical JSON of the settings that the stage read."""
    code: str
    """Fingerprint of the stage's import closure."""
    inputs: dict[str, str]
    """SHA-256 of each input file, by the stage's name for it."""
    git_commit: str | None
    git_dirty: bool | None
    seed: int | None
    origin: Origin
    """Where the elevation came from; a synthetic input makes everything after it synthetic."""

    def to_json(self) -> str:
        """Return the stamp as canonical JSON."""
        return canonical_json(self.model_dump(mode="json"))


def canonical_json(value: Any) -> str:
    """Return JSON with sorted keys and no blanks; NaN and infinities are refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def parse_stamp(text: str | None, path: Path, artefact: str | None = None) -> Stamp:
    """Return the stamp in `text`, which stood in `path`.

    Args:
        text: The stamp's JSON, or None if the file has none.
        path: The file, for messages.
        artefact: Name of the contract that the file must keep; None accepts any.

    Raises:
        ArtefactError: There is no stamp, it is not ours, of another schema version or of another artefact.
    """
    mend = "rerun the stage that writes it, or read it as a user's own file through source.kind: local"
    if not text:
        raise ArtefactError(f"{path}: has no lunarsite stamp; {mend}")
    try:
        values = json.loads(text)
        version = values.get("schema_version") if isinstance(values, dict) else None
        if version != SCHEMA_VERSION:
            raise ArtefactError(
                f"{path}: stamp has schema version {version!r}, this code reads {SCHEMA_VERSION}; {mend}"
            )
        stamp = Stamp.model_validate(values)
    except (json.JSONDecodeError, ValidationError) as error:
        raise ArtefactError(f"{path}: its stamp is not one of ours ({error}); {mend}") from error
    if artefact is not None and stamp.artefact != artefact:
        raise ArtefactError(f"{path}: is a '{stamp.artefact}' by its stamp, not a '{artefact}'; check the paths given")
    return stamp


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def merged_origin(stamps: list[Stamp]) -> Origin | None:
    """Return the least trustworthy origin of the inputs: any synthetic input makes the output synthetic."""
    origins = sorted((stamp.origin for stamp in stamps), key=_RANK.__getitem__)
    return origins[-1] if origins else None
