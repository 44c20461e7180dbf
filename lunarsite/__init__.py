"""Where to land at the lunar south pole: from elevation models to ranked, validated sites."""

__version__ = "0.1.0"
