"""What every learned room shares: networks, losses, training, model files and inference by tiles.

It knows tensors and files and nothing of the Moon: what the channels mean is each room's own affair. Its modules import
torch, some of them Lightning, which takes seconds: a stage imports them inside its function.
"""

from lunarsite.settings import SettingsError


class LearningError(SettingsError):
    """A network, a training or an inference that is asked for wrongly or fails; the message says what to do."""


class ResultError(LearningError):
    """What a network gives cannot be used: its weights are spoiled, or are another network's."""
