"""What lies on disk: stamped rasters, tables, tiles, models and records, and the contracts they keep.

Every file that one room leaves for another is written and read here. A writer refuses what breaks the contract and
replaces the old file in one step; a reader refuses truncated files, other projections, units or bands, values out
of range and stamps that are not ours. The rooms meet in these files only.
"""

from lunarsite.artefact.stamp import ArtefactError, Stamp

__all__ = ["ArtefactError", "Stamp"]
