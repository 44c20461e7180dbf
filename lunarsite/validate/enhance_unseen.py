"""Has a network seen the ground that it is measured on? Its card tells where it was trained."""

from __future__ import annotations

from pathlib import Path

from lunarsite.artefact.model import Card, read_stamp
from lunarsite.vision.enhance.ground import Arcs, seen_by, shared


def doubt(path: Path, card: Card, test: Arcs, *, synthetic: bool) -> str:
    """Return why a network may have seen the test ground, in words; '' if it has not.

    Args:
        path: The model's file.
        card: Its card.
        test: Directions of the test scenes.
        synthetic: Whether the test scenes are of a synthetic Moon: a network of the real one has seen none of it.
    """
    if (read_stamp(path).origin == "synthetic") is not synthetic:
        return ""
    trained = seen_by(card.training)
    if trained is None:
        return "its card does not tell on which ground it was trained, so it may have seen the test ground"
    if shared(trained, test):
        told = ", ".join(f"{low} to {high}" for low, high in trained)
        return f"it was trained or chosen on ground in the directions of the test ground (its own: {told} degrees)"
    return ""
