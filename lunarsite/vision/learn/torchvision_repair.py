"""Make torchvision importable beside a CPU build of torch.

PyPI's torchvision wheel is linked against CUDA. Beside a CPU build of torch its compiled operators do not load, and
`import torchvision` dies with 'operator torchvision::nms does not exist', as it registers shapes for two of them. What
imports torchvision on its way (timm, segmentation-models-pytorch, Lightning) dies with it, though none of them calls
those operators here. Declaring the two, without a kernel, lets the import pass.
"""

from __future__ import annotations

import functools
from typing import Any

_OPERATORS = ("nms", "qnms")
_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@functools.cache
def ensure_torchvision() -> Any | None:
    """Import torchvision, and mend what keeps a CPU torch from it. Call it before whatever imports torchvision.

    Returns:
        The library that declares the missing operators, which lives as long as this cache; None if nothing was missing.

    Raises:
        ImportError: torchvision is not installed.
        RuntimeError: It does not import for another reason, for instance beside a CUDA torch of another release.
    """
    import torch

    try:
        import torchvision  # type: ignore[import-untyped]
    except RuntimeError as error:
        if torch.version.cuda is not None or "torchvision::nms does not exist" not in str(error):
            raise
    else:
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in _OPERATORS:
        library.define(name + _SIGNATURE)  # type: ignore[no-untyped-call]
    import torchvision  # noqa: F401

    return library
