"""How long the Sun and the Earth are in sight: ephemeris, horizons, visibility, darkness."""
