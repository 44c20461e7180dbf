"""Small generated image sets of the exact published layouts: names, folders, sizes, colours, types and no-data values.

`write` makes the archives that the publishers give out; the functions beside it write the unpacked trees.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image

from lunarsite.grid import lunar_crs
from lunarsite.source.products import read_products

RESOURCES = Path(__file__).parents[2] / "resources"
RED, GREEN, BLUE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0)
RENDERS, PHOTOGRAPHS = 6, ("PCAM1", "PCAM2", "TCAM9")
SHADOWCAM_PIXEL_M, LOWEST = 1.71, float(np.finfo(np.float64).min)
FRAME_PIXEL_M = 60.0
FRAMES = (
    ("M012728826S", "2022-12-30T06:55:07.009662Z", -1.306, 94.295),
    ("M013049982S", "2023-01-03T00:07:43.027224Z", -1.396, 49.144),
    ("M013428232S", "2023-01-07T09:11:53.027224Z", -1.474, 356.039),
)
VARIANTS = ("", "-r90", "-r180", "-r270", "-fh", "-fv", "-brt")
LANDMARKS = (
    ("ESP_014156_1865_RED-0062", 0),
    ("ESP_014156_1865_RED-0063", 1),
    ("PSP_005714_1875_RED-0090", 2),
    ("TRA_000828_1805_RED-0127", 1),
    ("ESP_035814_1550_RED-0189", 7),
)
CLASSES = ("other", "crater", "dark dune", "slope streak", "bright dune", "impact ejecta", "swiss cheese", "spider")


def save(path: Path, values: NDArray[np.uint8], **options: object) -> Path:
    """Write a picture of the kind that its suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path, **options)
    return path


def landscape(number: int, height: int, width: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a picture (height, width, 3) and its masks 'clean' (palette colours) and 'ground' (darker red, noise).

    The sky takes the upper part, large rocks stand in the middle, small ones below; tiny ones are in 'ground' alone.
    """
    generator = np.random.default_rng(number)
    horizon = height // 4 + 5 * number
    image = generator.integers(90, 130, (height, width, 1), dtype=np.uint8).repeat(3, axis=2)
    image[:horizon] = 0
    clean = np.zeros((height, width, 3), dtype=np.uint8)
    clean[:horizon] = RED
    for col in range(20 + number, width - 40, 90):
        clean[horizon + 40 : horizon + 70, col : col + 30] = BLUE
        clean[horizon + 120 : horizon + 132, col : col + 12] = GREEN
    ground = clean.copy()
    ground[:horizon] = (225, 0, 0)
    ground[height - 20 : height - 17, 30:33] = GREEN
    noise = generator.integers(-4, 5, ground.shape)
    ground = np.clip(ground.astype(np.int64) + noise, 0, 255).astype(np.uint8)
    image[(clean == BLUE).all(axis=2)] = 200
    image[(clean == GREEN).all(axis=2)] = 180
    return image, clean, ground


def write_rocks(folder: Path, renders: int = RENDERS) -> Path:
    """Write the unpacked rock dataset, numbers from 1 on; return the folder."""
    for number in range(1, renders + 1):
        image, clean, ground = landscape(number, 480, 720)
        save(folder / f"images/render/render{number:04d}.png", image)
        save(folder / f"images/clean/clean{number:04d}.png", clean)
        save(folder / f"images/ground/ground{number:04d}.png", ground)
    for number, name in enumerate(PHOTOGRAPHS, start=renders + 1):
        image, clean, _ = landscape(number, 571, 777)
        save(folder / f"real_moon_images/{name}.png", image)
        save(folder / f"real_moon_images/g_{name}.png", clean)
    return folder


def write_landforms(folder: Path) -> Path:
    """Write the unpacked HiRISE landmarks; return the folder."""
    lines = []
    for number, (landmark, label) in enumerate(LANDMARKS):
        generator = np.random.default_rng(number)
        small = generator.integers(40, 200, (8, 8), dtype=np.uint8)
        picture = np.asarray(Image.fromarray(small).resize((227, 227), Image.Resampling.BILINEAR))
        turned = (picture, np.rot90(picture, -1), np.rot90(picture, 2), np.rot90(picture), picture[:, ::-1])
        altered = (*turned, picture[::-1], np.clip(picture.astype(int) + 40, 0, 255).astype(np.uint8))
        for suffix, values in zip(VARIANTS, altered, strict=True):
            save(folder / "map-proj-v3" / f"{landmark}{suffix}.jpg", np.ascontiguousarray(values), quality=90)
            lines.append(f"{landmark}{suffix}.jpg {label}")
    (folder / "labels-map-proj-v3.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    table = "".join(f"{number},{name}\n" for number, name in enumerate(CLASSES))
    (folder / "landmarks_map-proj-v3_classmap.csv").write_text(table, encoding="utf-8")
    return folder


def composite(x_m: NDArray[np.float64], y_m: NDArray[np.float64], part: str) -> NDArray[np.float64]:
    """Return the brightness of a composite at map places: a plane, whose mean over any window is its middle's value."""
    sign = 1.0 if part.startswith("top") else -1.0
    return 0.045 + sign * 2e-5 * (x_m - 200.0) - 1e-5 * (y_m - 300.0)


def write_composite(path: Path, part: str, x_min_m: float, y_max_m: float, side_px: int) -> Path:
    """Write a composite as published: 64-bit floats, the lowest number outside the strip that was seen."""
    path.parent.mkdir(parents=True, exist_ok=True)
    at = np.arange(side_px) + 0.5
    x_m, y_m = x_min_m + at[None, :] * SHADOWCAM_PIXEL_M, y_max_m - at[:, None] * SHADOWCAM_PIXEL_M
    values = composite(x_m, y_m, part)
    values[:, : side_px // 10] = LOWEST
    profile = {"driver": "GTiff", "width": side_px, "height": side_px, "count": 1, "dtype": "float64"}
    affine = Affine(SHADOWCAM_PIXEL_M, 0.0, x_min_m, 0.0, -SHADOWCAM_PIXEL_M, y_max_m)
    with rasterio.open(path, "w", crs=lunar_crs(), transform=affine, nodata=LOWEST, **profile) as dataset:
        dataset.write(values, 1)
    return path


def write_shadowcam(folder: Path, half_width_m: float = 48_000.0) -> Path:
    """Write the unpacked composites, one kilometre square near the pole; return the folder."""
    side_px = int(min(1_000.0, half_width_m) / SHADOWCAM_PIXEL_M)
    for part in ("topillum-avg", "bottomillum-avg"):
        place = folder / "LCROSS_data_archive" / "ShadowCam-composites" / f"{part}.tif"
        write_composite(place, part, -300.5, 800.25, side_px)
    return folder


def write_frames(folder: Path) -> Path:
    """Write mapped frames, narrow strips of 60 m pixels with NaN beside them, and their table; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["file,utc,subsolar_lat_deg,subsolar_lon_deg,valid_px"]
    for number, (name, utc, lat_deg, lon_deg) in enumerate(FRAMES):
        rows, cols = 30 + 4 * number, 50 - 6 * number
        values = np.random.default_rng(number).uniform(0.0, 0.1, (rows, cols)).astype(np.float32)
        values[:, : cols // 2] = np.nan
        values[0, -1] = -0.01  # noise
        affine = Affine(FRAME_PIXEL_M, 0.0, 600.0 * number - 3_000.0, 0.0, -FRAME_PIXEL_M, 2_400.0)
        profile = {"driver": "GTiff", "width": cols, "height": rows, "count": 1, "dtype": "float32"}
        path = folder / f"{name}.60m.tif"
        with rasterio.open(path, "w", crs=lunar_crs(), transform=affine, nodata=np.nan, **profile) as dataset:
            dataset.write(values, 1)
        lines.append(f"{name}.60m.tif,{utc},{lat_deg},{lon_deg},{np.isfinite(values).sum()}")
    (folder / "images.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


TREES: dict[str, Callable[[Path], Path]] = {
    "shadowcam_cabeus": write_shadowcam,
    "rocks": write_rocks,
    "hirise_landmarks_v3": write_landforms,
}
PRODUCTS = tuple(TREES)


def write(product: str, folder: Path, half_width_m: float = 48_000.0) -> None:
    """Write a product's files by the names of the table of products: an archive each."""
    (file,) = read_products(RESOURCES / "products.yaml")[product].files
    tree = folder / f".{product}"
    if product == "shadowcam_cabeus":
        write_shadowcam(tree, half_width_m)
    else:
        TREES[product](tree)
    with zipfile.ZipFile(folder / file.name, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(tree.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(tree).as_posix())
                path.unlink()
    for place in sorted((path for path in tree.rglob("*") if path.is_dir()), reverse=True):
        place.rmdir()
    tree.rmdir()


def write_nac(path: Path, numbers: NDArray[np.int16], beside: bool = False) -> Path:
    """Write a calibrated LROC NAC image as its archive has it: 16 bits behind a PDS3 label, or the label beside it.

    After the data record's specification (LROC EDR/CDR SIS): numbers below -32752 tell why there is none.
    """
    lines, samples = numbers.shape
    record = 2 * samples
    text = "\r\n".join(
        (
            "PDS_VERSION_ID                     = PDS3",
            "RECORD_TYPE                        = FIXED_LENGTH",
            f"RECORD_BYTES                       = {record}",
            f"FILE_RECORDS                       = {lines}",
            "LABEL_RECORDS                      = @LABEL@",
            "^IMAGE                             = @IMAGE@",
            'DATA_SET_ID                        = "LRO-L-LROC-3-CDR-V1.0"',
            f'PRODUCT_ID                         = "{path.stem}"',
            'MISSION_PHASE_NAME                 = "NOMINAL MISSION"',
            "TARGET_NAME                        = MOON",
            "OBJECT = IMAGE",
            f"  LINES                            = {lines}",
            f"  LINE_SAMPLES                     = {samples}",
            "  SAMPLE_BITS                      = 16",
            "  SAMPLE_TYPE                      = LSB_INTEGER",
            '  UNIT                             = "RADIANCE"',
            "  SCALING_FACTOR                   = 1.0",
            "  VALID_MINIMUM                    = -32752",
            "  NULL                             = -32768",
            "  LOW_REPR_SATURATION              = -32767",
            "  LOW_INSTR_SATURATION             = -32766",
            "  HIGH_INSTR_SATURATION            = -32765",
            "  HIGH_REPR_SATURATION             = -32764",
            "END_OBJECT = IMAGE",
            "END",
            "",
        )
    )
    pixels = numbers.astype("<i2").tobytes()
    if beside:
        text = text.replace("@LABEL@", "1").replace("@IMAGE@", f'"{path.name}"')
        path.with_suffix(".LBL").write_text(text, encoding="ascii", newline="")
        path.write_bytes(pixels)
    else:
        records = -(-(len(text) + 8) // record)
        text = text.replace("@LABEL@", str(records)).replace("@IMAGE@", str(records + 1))
        path.write_bytes(text.encode("ascii").ljust(records * record) + pixels)
    return path


def write_ohrc(path: Path, numbers: NDArray[np.uint8], name: str | None = None) -> Path:
    """Write an OHRC image as its archive has it: raw bytes, and the PDS4 label beside it."""
    lines, samples = numbers.shape
    axes = "".join(
        f"<Axis_Array><axis_name>{axis}</axis_name><elements>{size}</elements>"
        f"<sequence_number>{number}</sequence_number></Axis_Array>"
        for number, (axis, size) in enumerate((("Line", lines), ("Sample", samples)), 1)
    )
    path.write_bytes(numbers.tobytes())
    path.with_suffix(".xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<Product_Observational xmlns="http://pds.nasa.gov/pds4/pds/v1">'
        f"<Identification_Area><logical_identifier>urn:isro:isda:ch2_cho.ohr:data:{path.stem}</logical_identifier>"
        "</Identification_Area><File_Area_Observational>"
        f'<File><file_name>{name or path.name}</file_name></File><Array_2D_Image><offset unit="byte">0</offset>'
        "<axes>2</axes><axis_index_order>Last Index Fastest</axis_index_order>"
        f"<Element_Array><data_type>UnsignedByte</data_type></Element_Array>{axes}</Array_2D_Image>"
        "</File_Area_Observational></Product_Observational>",
        encoding="utf-8",
    )
    return path
