"""Pictures of rocky lunar ground with their truth, drawn from a seed: ground, rocks, light, camera.

It must not know networks, splits or files other than the one that it writes.
"""
