"""What elevation alone tells about the ground: slope, roughness and how well the elevation itself is known.

This room reads elevation models and knows nothing of light, sites or where the elevation came from.
"""
