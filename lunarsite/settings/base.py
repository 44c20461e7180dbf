"""What all sections of the settings share: a frozen group of knobs, and the types of single knobs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]


def _named(path: Path) -> Path:
    if path == Path():
        raise ValueError("an empty path; name a file, or null for none")
    return path


FilePath = Annotated[Path, AfterValidator(_named)]
Metres = Annotated[float, Field(ge=0.0, le=1_000.0)]
Longitude = Annotated[float, Field(ge=-180.0, le=360.0)]


class Section(BaseModel):
    """A frozen group of knobs that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)
