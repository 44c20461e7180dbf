"""`python -m lunarsite enhance IMAGE --out OUT.tif`: one image of shadowed ground, enhanced, with error and support."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import lunarsite
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.settings import EnhancementSettings, parse_section
from lunarsite.vision.enhance.output import check_output

if TYPE_CHECKING:
    from lunarsite.vision.enhance.files import Summary

MODELS = Path(lunarsite.__file__).resolve().parents[1] / "resources" / "models" / "enhance"
"""Where the models lie that come with lunarsite."""
_EVERY_S = 5.0
_ABOUT = """\
The result is a cloud-optimised GeoTIFF on the image's pixels with three bands: 'enhanced', in the image's own
numbers; 'error', its standard error in them; 'support', 1 where the image's own signal bears the result out, 0 where
it does not. All three are NaN where the image is unknown.
"""


def main(arguments: Sequence[str]) -> int:
    """Enhance an image and tell what became of it; return 0.

    Raises:
        SettingsError: The sizes of tiles do not hold.
        ArtefactError: The image or the model cannot be used, or the result not be written.
    """
    options = _parser().parse_args(arguments)
    given = {"method": options.method, "tile_px": options.tile_px, "halo_px": options.halo_px}
    changed = json.dumps({key: value for key, value in given.items() if value is not None})
    settings = cast(EnhancementSettings, parse_section(EnhancementSettings, changed))
    model = options.model or MODELS / f"{settings.method}.safetensors"
    start = time.monotonic()
    # What can be refused at once is refused before seconds go into loading torch.
    if not options.image.is_file():
        raise ArtefactError(f"{options.image}: does not exist as a file")
    if not model.is_file():
        raise ArtefactError(f"{model}: the model does not exist; name one (--model), or train one (docs/enhance.md)")

    check_output(options.image, options.out, options.overwrite)
    from lunarsite.vision.enhance.reading import opened

    with opened(options.image, options.band):
        pass  # its kind, size and bands

    from lunarsite.vision.enhance.files import enhance_file
    from lunarsite.vision.enhance.image import load_enhancer

    enhancer = load_enhancer(settings.method, model)
    report = None if options.quiet else _Progress(options.image.name)
    summary = enhance_file(
        options.image,
        options.out,
        enhancer,
        settings,
        model=model,
        band=options.band,
        overwrite=options.overwrite,
        report=report,
    )
    told = _told(summary, options, model, enhancer.name, time.monotonic() - start)
    print(json.dumps(told, indent=1) if options.json else _text(told))  # noqa: T201 - the command line's own output
    return 0


class _Progress:
    """Tells on stderr how far it is, at most every five seconds."""

    def __init__(self, name: str) -> None:
        self._name, self._last = name, time.monotonic()

    def __call__(self, what: str, done: float, total: float) -> None:
        now = time.monotonic()
        if now - self._last >= _EVERY_S:
            self._last = now
            print(f"{self._name}: {what} {100.0 * done / total:.0f} %", file=sys.stderr, flush=True)  # noqa: T201


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lunarsite enhance",
        description="Enhance one image of shadowed ground.",
        epilog=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("image", type=Path, metavar="IMAGE", help="grey TIFF, PNG, JPEG or JPEG 2000, any size")
    parser.add_argument("--out", type=Path, required=True, metavar="OUT.tif", help="GeoTIFF to write")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT.tif if it is there")
    parser.add_argument(
        "--method",
        choices=("denoiser", "cycle"),
        help="network: 'denoiser' tells an error that was checked; 'cycle' may invent (default: denoiser)",
    )
    parser.add_argument("--model", type=Path, metavar="FILE", help="its file (default: the one that comes along)")
    parser.add_argument("--band", type=int, metavar="N", help="band of the image, from 1 (default: the only one)")
    parser.add_argument("--tile-px", type=int, metavar="PX", help="side of a tile: less takes less memory")
    parser.add_argument("--halo-px", type=int, metavar="PX", help="margin of a tile")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.add_argument("--quiet", action="store_true", help="tell no progress")
    return parser


def _told(summary: Summary, options: argparse.Namespace, model: Path, method: str, seconds: float) -> dict[str, object]:
    from lunarsite.vision.enhance.files import scale_json

    return {
        "image": str(options.image),
        "out": str(options.out),
        "method": method,
        "model": str(model),
        "height_px": summary.height,
        "width_px": summary.width,
        "known_share": round(summary.known_share, 6),
        "supported_share": round(summary.supported_share, 6),
        "scale": scale_json(summary.scale),
        "seconds": round(seconds, 2),
    }


def _text(told: dict[str, object]) -> str:
    return (
        f"{told['out']}: {told['height_px']} x {told['width_px']} px by {told['method']} in {told['seconds']} s;"
        f" {100.0 * float(str(told['supported_share'])):.1f} % of the known pixels are borne out by the image's signal"
    )
