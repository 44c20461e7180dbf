"""Rooms that learn from images: craters, seeing into shadow, rocks."""


include: "crater.smk"
include: "enhance.smk"
include: "rock.smk"
