"""Two workers run these tests side by side: more threads each would wait for one another."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
