"""Options that keep GDAL to the very file that it is given. Every room that opens a file from outside uses them."""

from __future__ import annotations

# No file is let through to curl, and curl knows no such proxy: both refuse before they look up a name.
OFFLINE = {
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
    "GDAL_HTTP_PROXY": "off://off",
    "GDAL_HTTPS_PROXY": "off://off",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
}
"""Options that keep GDAL from the network, and from running code of a file."""
# A raster's metadata may name any other file as its overviews (OVERVIEW_FILE), and reduced reads would show that one.
ITSELF = {"OVERVIEW_LEVEL": "NONE"}
"""Options of opening a raster: its own pixels alone, no overviews."""
