"""Where elevation comes from: the seeded synthetic Moon, or a user's own files; both leave the same artefacts.

The room ends at heights on the run's grid and the craters known in them. It must not know what becomes of them.
"""
