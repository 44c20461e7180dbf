"""Rocks in images from the ground: rendered scenes, segmentation that knows when it does not know, and hazards.

What a network says is calibrated, its ensemble is scored as one, and images of another kind than it has learned from
are told as such. This room knows scenes, models and maps, and nothing of how they are judged or shown.
"""
