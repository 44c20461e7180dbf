"""`python -m lunarsite rocks FOLDER --out FOLDER`: pictures from the ground, segmented, and their hazards."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import lunarsite
from lunarsite import __version__
from lunarsite.artefact.stamp import ArtefactError, digest
from lunarsite.settings import SettingsError, parse_section
from lunarsite.settings.rock import RockCameraSettings, RockHazardSettings, RockInferenceSettings

if TYPE_CHECKING:
    from lunarsite.vision.rock.folder import Outcome

MODEL = Path(lunarsite.__file__).resolve().parents[1] / "resources" / "models" / "rock" / "rock.safetensors"
"""The model that comes with lunarsite."""
SOME_FAILED = 3
_EVERY_S = 5.0
_ABOUT = """\
Of each picture NAME (PNG, JPEG or TIFF; folders inside are not searched) the out folder holds
  NAME_classes.png   what each pixel is: red sky, green small rocks, blue large rocks, black ground, grey unknown
                     (first ground, rock or sky, by the rocks' probabilities together; then small or large)
  NAME_maps.tif      calibrated probabilities of the four classes, entropy and mutual information (nats), 32-bit floats
  NAME_hazard.tif    distance from the nearest rock (metres with a camera, else pixels), and whether a lander's disc is
                     safe there (0 no, 1 yes; only with a camera), 32-bit floats
  NAME_overlay.png   the picture with outlines, for people
  NAME.json          what is said of it; and of all pictures summary.csv, rocks.csv and distribution.csv
A picture that is of no kind the model knows is told so: its maps mean nothing, and nothing is derived from them.
Where no ground is seen, as in a black picture, it is unknown whether the picture is familiar, and nothing is
derived but the shares of the classes.
Results that are there already, of the same picture, model and settings, are kept.

Exit status: 0 done; 2 the command line does not hold; 3 some pictures could not be used (they are named, the others
are done), or the folders cannot be.
"""


def main(arguments: Sequence[str]) -> int:
    """Segment a folder of pictures and tell what became of them; return 0, or 3 if some could not be used.

    Raises:
        SettingsError: An option does not hold.
        ArtefactError: The folders or the model cannot be used.
    """
    options = _parser().parse_args(arguments)
    inference = cast(
        RockInferenceSettings,
        _section(RockInferenceSettings, options, "method", "flips", "scales", "passes", "longest_side_px"),
    )
    if options.passes is not None and inference.method != "dropout":
        raise SettingsError("--passes are those of --method dropout; other methods make none")
    hazard = cast(RockHazardSettings, _section(RockHazardSettings, options, "disc_radius_m"))
    camera = _camera(options)
    model = options.model or MODEL
    start = time.monotonic()
    # What can be refused at once is refused before seconds go into loading torch.
    if not options.folder.is_dir():
        raise ArtefactError(f"{options.folder}: does not exist as a folder; name the one that holds the pictures")
    if not model.is_file():
        raise ArtefactError(f"{model}: the model does not exist; name one (--model), or train one (docs/rocks.md)")

    from lunarsite.artefact.contracts.rock import ROCK_MODEL
    from lunarsite.artefact.model import read_tensors
    from lunarsite.vision.rock.folder import check_place, listed, segment_folder
    from lunarsite.vision.rock.results import Task
    from lunarsite.vision.rock.segmenter import load_segmenter

    listed(options.folder)
    check_place(options.folder, options.out)
    about = {
        "lunarsite": __version__,
        "model": model.name,
        "model_sha256": digest(model),
        # Whose images it has learned from: their licence binds the model.
        "model_data": read_tensors(model, ROCK_MODEL)[1].training.get("data"),
        "inference": inference.model_dump(mode="json"),
        "hazard": hazard.model_dump(mode="json"),
        "camera": None if camera is None else camera.model_dump(mode="json"),
        "code": _code(),
    }
    task = Task(load_segmenter(model), inference, hazard, camera, about)
    report = None if options.quiet else _Progress()
    outcome = segment_folder(options.folder, options.out, task, report)
    for reason in outcome.failed.values():
        print(f"lunarsite rocks: {reason}", file=sys.stderr)  # noqa: T201 - the command line's own output
    told = _told(outcome, options, model, time.monotonic() - start)
    print(json.dumps(told, indent=1) if options.json else _text(told, outcome))  # noqa: T201
    return SOME_FAILED if outcome.failed else 0


class _Progress:
    """Tells on stderr how far it is, at most every five seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, done: int, total: int, what: str) -> None:
        now = time.monotonic()
        if now - self._last >= _EVERY_S:
            self._last = now
            print(f"rocks: {done} of {total} pictures, now {what}", file=sys.stderr, flush=True)  # noqa: T201


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lunarsite rocks",
        description="Find rocks, ground and sky in pictures taken near the ground.",
        epilog=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder of pictures")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder of results: new or resumed")
    parser.add_argument("--model", type=Path, metavar="FILE", help="its file (default: the one that comes along)")
    parser.add_argument(
        "--method",
        choices=("ensemble", "single", "dropout"),
        help="'ensemble': mean of the members (default); 'single': the first, fastest; 'dropout': passes of the first",
    )
    parser.add_argument("--flips", type=int, choices=(1, 2, 4), help="mirrored views that are averaged (default: 2)")
    parser.add_argument(
        "--scales",
        type=_numbers,
        metavar="S,S,...",
        help="sizes of the picture that are averaged, 0.25 to 4, with commas: 0.75,1,1.5 (default: 1); small and large"
        " were learned from pictures zoomed by 0.9 to 1.1, and other sizes make the choice between them less sure; the"
        " largest times --longest-side-px is at most 4096",
    )
    parser.add_argument("--passes", type=int, metavar="N", help="of --method dropout, 2 to 1000 (default: 20)")
    parser.add_argument(
        "--longest-side-px",
        type=int,
        metavar="PX",
        help="larger pictures are reduced to that (default: 480); a rock's size goes by its width and by the rows below"
        " the horizon in pixels of a picture of the length that was learned, so another one, or a picture that is"
        " smaller, makes small and large less sure",
    )
    camera = parser.add_argument_group("camera", "the same for all pictures; with all three, rocks have metres")
    camera.add_argument("--camera-height-m", type=float, metavar="M", help="height of the lens above the ground")
    camera.add_argument("--pitch-deg", type=float, metavar="DEG", help="angle of the optical axis below the horizontal")
    camera.add_argument("--field-of-view-deg", type=float, metavar="DEG", help="horizontal field of view")
    camera.add_argument("--disc-radius-m", type=float, metavar="M", help="room that a lander needs (default: 2.5)")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    parser.add_argument("--quiet", action="store_true", help="tell no progress")
    return parser


def _numbers(text: str) -> list[float]:
    """Return numbers that are written with commas between them."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no list of numbers such as 0.75,1,1.5") from None


def _section(kind: Any, options: argparse.Namespace, *names: str) -> Any:
    """Return a section of the settings with what the options change."""
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return parse_section(kind, json.dumps(given))


def _camera(options: argparse.Namespace) -> RockCameraSettings | None:
    given = {
        "height_m": options.camera_height_m,
        "pitch_deg": options.pitch_deg,
        "field_of_view_deg": options.field_of_view_deg,
    }
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == len(given):
        if options.disc_radius_m is not None:
            raise SettingsError("--disc-radius-m needs the camera, without which no distance is known")
        return None
    if missing:
        raise SettingsError(
            "a camera is --camera-height-m, --pitch-deg and --field-of-view-deg together; without all three no distance"
            " is known"
        )
    return cast(RockCameraSettings, parse_section(RockCameraSettings, json.dumps(given)))


def _code() -> str:
    """Return the fingerprint of this command: other code may give other results."""
    from lunarsite.fingerprint import fingerprint

    return fingerprint(__name__, "main", Path(lunarsite.__file__).resolve().parent)


def _told(outcome: Outcome, options: argparse.Namespace, model: Path, seconds: float) -> dict[str, Any]:
    return {
        "folder": str(options.folder),
        "out": str(options.out),
        "model": str(model),
        "images": outcome.images,
        "kept": outcome.kept,
        "failed": dict(outcome.failed),
        "out_of_distribution": list(outcome.strange),
        "not_judged": list(outcome.not_judged),
        "seconds": round(seconds, 2),
    }


def _text(told: dict[str, Any], outcome: Outcome) -> str:
    done = outcome.images - len(outcome.failed)
    lines = [
        f"{told['out']}: {done} of {outcome.images} pictures in {told['seconds']} s"
        + (f", {outcome.kept} of them were there already" if outcome.kept else "")
    ]
    if outcome.strange:
        lines.append(
            f"{len(outcome.strange)} are out of distribution: the model knows no such pictures, their maps mean"
            f" nothing, and nothing is derived from them: {', '.join(outcome.strange)}"
        )
    if outcome.not_judged:
        lines.append(
            f"{len(outcome.not_judged)} show no ground: it is unknown whether the model knows such pictures, and"
            f" nothing is derived from them: {', '.join(outcome.not_judged)}"
        )
    return "\n".join(lines)
