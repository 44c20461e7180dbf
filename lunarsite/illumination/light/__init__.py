"""Light of a moment: sunlight, cast shadows and light scattered into them, at one sub-solar point."""
