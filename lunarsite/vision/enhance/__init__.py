"""Seeing into shadow: what learns to tell the ground from the noise in images of permanently shadowed regions.

A room of vision. It knows images, the sensor that makes them and networks; how ground is lit it learns from files.
"""
