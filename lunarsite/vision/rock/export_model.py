"""`python -m lunarsite rocks-export --out MODEL.onnx`: the model of rocks for programs without torch."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lunarsite import __version__
from lunarsite.artefact.stamp import ArtefactError, digest
from lunarsite.settings import parse_section
from lunarsite.settings.rock import RockInferenceSettings
from lunarsite.vision.rock.one_folder import MODEL

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ABOUT = """\
The file takes 'image' (N, 3, H, W), RGB levels 0..255 as 32-bit floats, sides multiples of 32, and gives 'probability'
(N, 4, H, W), calibrated, of background, small rocks, large rocks and sky, 'mutual_information' (N, H, W), nats, and
'unfamiliarity' (N,). Its metadata tells how images are prepared, above which unfamiliarity an image is of another kind
than the model knows, and the licence.
"""


def main(arguments: Sequence[str]) -> int:
    """Export a model and tell how well the file agrees with it; return 0.

    Raises:
        SettingsError: An option does not hold, or the package onnx is not installed.
        ArtefactError: The model cannot be used, or the file be written, or it gives other classes.
    """
    options = _parser().parse_args(arguments)
    given = {name: getattr(options, name) for name in ("method", "flips", "longest_side_px")}
    changed = json.dumps({name: value for name, value in given.items() if value is not None})
    settings = cast(RockInferenceSettings, parse_section(RockInferenceSettings, changed))
    model = options.model or MODEL
    if not model.is_file():
        raise ArtefactError(f"{model}: the model does not exist; name one (--model), or train one (docs/rocks.md)")
    _check_out(options.out, options.overwrite)

    from lunarsite.artefact.contracts.rock import ROCK_MODEL
    from lunarsite.artefact.model import read_tensors
    from lunarsite.vision.rock.onnx_export import export, made_up_images
    from lunarsite.vision.rock.segmenter import load_segmenter

    segmenter = load_segmenter(model)
    _, card, _ = read_tensors(model, ROCK_MODEL)
    about = {"lunarsite": __version__, "model_sha256": digest(model), "training": card.training}
    images = made_up_images() if options.images is None else _pictures(options.images)
    agreement = export(segmenter, settings, options.out, about, images)
    told = {
        "out": str(options.out),
        "bytes": options.out.stat().st_size,
        "checked": agreement is not None,
        "images": agreement.images if agreement else 0,
        "same_classes_share": agreement.share if agreement else None,
        "most_probability_difference": agreement.most_difference if agreement else None,
        "most_unfamiliarity_difference": agreement.most_unfamiliarity_difference if agreement else None,
    }
    print(json.dumps(told, indent=1) if options.json else _text(told))  # noqa: T201 - the command line's own output
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lunarsite rocks-export",
        description="Write the model that finds rocks as ONNX, checked against itself in ONNX Runtime.",
        epilog=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--out", type=Path, required=True, metavar="MODEL.onnx", help="file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace it if it is there")
    parser.add_argument("--model", type=Path, metavar="FILE", help="its file (default: the one that comes along)")
    parser.add_argument("--method", choices=("ensemble", "single"), help="members inside (default: ensemble)")
    parser.add_argument("--flips", type=int, choices=(1, 2, 4), help="mirrored views inside (default: 2)")
    parser.add_argument("--longest-side-px", type=int, metavar="PX", help="images' size in the check (default: 480)")
    parser.add_argument("--images", type=Path, metavar="FOLDER", help="pictures for the check (default: made-up ones)")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    return parser


def _check_out(out: Path, overwrite: bool) -> None:
    if out.suffix.lower() != ".onnx":
        raise ArtefactError(f"{out}: the result is an ONNX file; call it .onnx")
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise ArtefactError(f"{out}: is a folder, or its folder does not exist")
    if out.exists() and not overwrite:
        raise ArtefactError(f"{out}: is there already; name another file, or let it be replaced (--overwrite)")


def _pictures(folder: Path) -> Iterator[NDArray[np.uint8]]:
    from lunarsite.vision.rock.folder import listed
    from lunarsite.vision.rock.pictures import read_picture

    for path in listed(folder):
        yield read_picture(path).rgb


def _text(told: dict[str, Any]) -> str:
    size = f"{told['out']}: {told['bytes'] / 1e6:.1f} MB"
    if not told["checked"]:
        return f"{size}; not checked, for ONNX Runtime is not installed (pip install 'lunarsite[onnx]')"
    return (
        f"{size}; in ONNX Runtime {100.0 * told['same_classes_share']:.4f} % of the pixels of {told['images']} images"
        f" have the same class, probabilities differ by at most {told['most_probability_difference']:.1e}"
    )
