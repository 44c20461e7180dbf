"""Where the result of one image may be written: what can be refused before anything is loaded or read."""

from __future__ import annotations

from pathlib import Path

from lunarsite.artefact.stamp import ArtefactError

_TIFFS = (".tif", ".tiff")


def check_output(path: Path, out: Path, overwrite: bool) -> None:
    """Refuse an output that is the image itself, no GeoTIFF by its name, or there already.

    Raises:
        ArtefactError: It is.
    """
    if out.suffix.lower() not in _TIFFS:
        raise ArtefactError(f"{out}: the result is a GeoTIFF; call it .tif")
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise ArtefactError(f"{out}: is a folder, or its folder does not exist")
    if out.exists() and path.exists() and out.samefile(path):
        raise ArtefactError(f"{out}: is the image itself, which is never written to; name another file")
    if out.exists() and not overwrite:
        raise ArtefactError(f"{out}: is there already; name another file, or let it be replaced (--overwrite)")
