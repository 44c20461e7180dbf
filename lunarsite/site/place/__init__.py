"""From cells to sites: contiguous good ground, landing ellipses, order and how firm it is."""
