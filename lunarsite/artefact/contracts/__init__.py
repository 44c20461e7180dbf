"""The contracts of the files in which the rooms meet. A room never imports another: it reads one of these.

Names follow results/<run>/; each contract's `name` is what the stamp of its file says.
"""

from __future__ import annotations

from lunarsite.artefact.contracts.archive import ARCHIVE_INDEX as ARCHIVE_INDEX
from lunarsite.artefact.contracts.archive import ARCHIVE_PAIRS as ARCHIVE_PAIRS
from lunarsite.artefact.contracts.crater import CRATER_CANDIDATES as CRATER_CANDIDATES
from lunarsite.artefact.contracts.crater import CRATER_CURVE as CRATER_CURVE
from lunarsite.artefact.contracts.crater import CRATER_LEVELS as CRATER_LEVELS
from lunarsite.artefact.contracts.crater import CRATER_MATCHES as CRATER_MATCHES
from lunarsite.artefact.contracts.crater import CRATER_MODEL as CRATER_MODEL
from lunarsite.artefact.contracts.crater import CRATER_PROBABILITY as CRATER_PROBABILITY
from lunarsite.artefact.contracts.crater import CRATER_RECORD as CRATER_RECORD
from lunarsite.artefact.contracts.crater import CRATER_TILES as CRATER_TILES
from lunarsite.artefact.contracts.crater import CRATER_TRAINING as CRATER_TRAINING
from lunarsite.artefact.contracts.crater import CRATERS as CRATERS
from lunarsite.artefact.contracts.crater import DETECTED as DETECTED
from lunarsite.artefact.contracts.enhance import CYCLE_MODEL as CYCLE_MODEL
from lunarsite.artefact.contracts.enhance import DENOISER_MODEL as DENOISER_MODEL
from lunarsite.artefact.contracts.enhance import ENHANCE_RECORD as ENHANCE_RECORD
from lunarsite.artefact.contracts.enhance import ENHANCE_SAMPLES as ENHANCE_SAMPLES
from lunarsite.artefact.contracts.enhance import ENHANCE_TRAINING as ENHANCE_TRAINING
from lunarsite.artefact.contracts.enhance import ENHANCED_FRAMES as ENHANCED_FRAMES
from lunarsite.artefact.contracts.enhance import FRAME_LIGHT as FRAME_LIGHT
from lunarsite.artefact.contracts.enhance import LIT_SCENES as LIT_SCENES
from lunarsite.artefact.contracts.enhance import SHADOWCAM_RECORD as SHADOWCAM_RECORD
from lunarsite.artefact.contracts.enhance import SHADOWCAM_SAMPLES as SHADOWCAM_SAMPLES
from lunarsite.artefact.contracts.illumination import EARTH_ANY as EARTH_ANY
from lunarsite.artefact.contracts.illumination import EARTH_MEAN as EARTH_MEAN
from lunarsite.artefact.contracts.illumination import ILLUMINATION_CELLS as ILLUMINATION_CELLS
from lunarsite.artefact.contracts.illumination import ILLUMINATION_PARTIAL as ILLUMINATION_PARTIAL
from lunarsite.artefact.contracts.illumination import ILLUMINATION_RECORD as ILLUMINATION_RECORD
from lunarsite.artefact.contracts.illumination import NIGHT as NIGHT
from lunarsite.artefact.contracts.illumination import PLACE_PROFILES as PLACE_PROFILES
from lunarsite.artefact.contracts.illumination import PLACE_SERIES as PLACE_SERIES
from lunarsite.artefact.contracts.illumination import PROFILES_PARTIAL as PROFILES_PARTIAL
from lunarsite.artefact.contracts.illumination import PSR as PSR
from lunarsite.artefact.contracts.illumination import PSR_MARGIN as PSR_MARGIN
from lunarsite.artefact.contracts.illumination import SKY_VIEW as SKY_VIEW
from lunarsite.artefact.contracts.illumination import SUN_ANY as SUN_ANY
from lunarsite.artefact.contracts.illumination import SUN_MEAN as SUN_MEAN
from lunarsite.artefact.contracts.illumination import SUN_MONTHS as SUN_MONTHS
from lunarsite.artefact.contracts.images import LANDFORM_CLASSES as LANDFORM_CLASSES
from lunarsite.artefact.contracts.images import LANDFORM_IMAGES as LANDFORM_IMAGES
from lunarsite.artefact.contracts.images import PSR_IMAGES as PSR_IMAGES
from lunarsite.artefact.contracts.images import ROCK_SCENES as ROCK_SCENES
from lunarsite.artefact.contracts.images import SHADOWCAM_FRAMES as SHADOWCAM_FRAMES
from lunarsite.artefact.contracts.rock import ROCK_ABLATION as ROCK_ABLATION
from lunarsite.artefact.contracts.rock import ROCK_ANSWERS as ROCK_ANSWERS
from lunarsite.artefact.contracts.rock import ROCK_CLASSES as ROCK_CLASSES
from lunarsite.artefact.contracts.rock import ROCK_DISTRIBUTION as ROCK_DISTRIBUTION
from lunarsite.artefact.contracts.rock import ROCK_HAZARD as ROCK_HAZARD
from lunarsite.artefact.contracts.rock import ROCK_MAPS as ROCK_MAPS
from lunarsite.artefact.contracts.rock import ROCK_MODEL as ROCK_MODEL
from lunarsite.artefact.contracts.rock import ROCK_RECORD as ROCK_RECORD
from lunarsite.artefact.contracts.rock import ROCK_SAMPLES as ROCK_SAMPLES
from lunarsite.artefact.contracts.rock import ROCK_SIZES as ROCK_SIZES
from lunarsite.artefact.contracts.rock import ROCK_TRAINING as ROCK_TRAINING
from lunarsite.artefact.contracts.rock import ROCK_TRUTH as ROCK_TRUTH
from lunarsite.artefact.contracts.site import CALIBRATION as CALIBRATION
from lunarsite.artefact.contracts.site import CELLS as CELLS
from lunarsite.artefact.contracts.site import CLONES as CLONES
from lunarsite.artefact.contracts.site import CRITERIA as CRITERIA
from lunarsite.artefact.contracts.site import CROSSVALIDATION_RECORD as CROSSVALIDATION_RECORD
from lunarsite.artefact.contracts.site import FINE_DEM as FINE_DEM
from lunarsite.artefact.contracts.site import HELD_OUT as HELD_OUT
from lunarsite.artefact.contracts.site import ICE_DEPTH as ICE_DEPTH
from lunarsite.artefact.contracts.site import LABELS as LABELS
from lunarsite.artefact.contracts.site import LABELS_RECORD as LABELS_RECORD
from lunarsite.artefact.contracts.site import REACH as REACH
from lunarsite.artefact.contracts.site import REFERENCE_COLUMNS as REFERENCE_COLUMNS
from lunarsite.artefact.contracts.site import REGION_SITES as REGION_SITES
from lunarsite.artefact.contracts.site import RELIEF as RELIEF
from lunarsite.artefact.contracts.site import ROUTES as ROUTES
from lunarsite.artefact.contracts.site import SCARPS as SCARPS
from lunarsite.artefact.contracts.site import SCORER as SCORER
from lunarsite.artefact.contracts.site import SCORER_RECORD as SCORER_RECORD
from lunarsite.artefact.contracts.site import SCORES as SCORES
from lunarsite.artefact.contracts.site import SITE_MONTHS as SITE_MONTHS
from lunarsite.artefact.contracts.site import SITE_RANKS as SITE_RANKS
from lunarsite.artefact.contracts.site import SITE_RECORD as SITE_RECORD
from lunarsite.artefact.contracts.site import SITES as SITES
from lunarsite.artefact.contracts.site import SITES_RECORD as SITES_RECORD
from lunarsite.artefact.contracts.site import SWEEPS as SWEEPS
from lunarsite.artefact.contracts.site import TEMPERATURE as TEMPERATURE
from lunarsite.artefact.contracts.source import DOWNLOAD as DOWNLOAD
from lunarsite.artefact.contracts.source import PUBLISHED_SLOPE as PUBLISHED_SLOPE
from lunarsite.artefact.contracts.source import SHADOWCAM as SHADOWCAM
from lunarsite.artefact.contracts.source import SLOPE_RECORD as SLOPE_RECORD
from lunarsite.artefact.contracts.terrain import DEM as DEM
from lunarsite.artefact.contracts.terrain import ELEVATION_ERROR as ELEVATION_ERROR
from lunarsite.artefact.contracts.terrain import FAR_DEM as FAR_DEM
from lunarsite.artefact.contracts.terrain import ROUGHNESS as ROUGHNESS
from lunarsite.artefact.contracts.terrain import SLOPE as SLOPE
from lunarsite.artefact.record import RecordSpec

SOURCE_RECORD = RecordSpec(name="source", metrics=("dem_valid_share", "craters"))
ARTEMIS_RECORD = RecordSpec(name="artemis")
