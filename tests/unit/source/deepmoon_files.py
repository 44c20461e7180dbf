"""Small files of exactly the two layouts: DeepMoon's published pair (tables as pandas writes them), and one file."""

from pathlib import Path

import h5py
import numpy as np

COLUMNS = ("Diameter (km)", "Diameter (pix)", "Lat", "Long", "x", "y")


def tile_bounds(count: int) -> np.ndarray:
    """Every third tile validates, every third trains, every third straddles a border."""
    west = np.array([2.0, 40.0, 15.0])[np.arange(count) % 3] + 0.01 * np.arange(count)
    return np.stack([west, west + 10.0, np.full(count, -5.0), np.full(count, 5.0)], axis=1)


def content(count: int, seed: int = 0) -> dict:
    rng = np.random.default_rng(seed)
    tables = []
    for k in range(count):
        n = (3, 0, 1)[k % 3] if count > 3 else 2
        pixels = 5.0 + 20.0 * rng.random(n)
        place = rng.random((2, n))
        tables.append(np.stack([1.2 * pixels, pixels, *(10 * place - 5), *(256 * place)], axis=1))
    return {
        "images": rng.integers(0, 256, (count, 256, 256), dtype=np.uint8),
        "masks": (rng.random((count, 256, 256)) > 0.9).astype(np.float32),
        "bounds": tile_bounds(count),
        "distortion": 1.0 - 0.02 * rng.random(count),
        "tables": tables,
    }


def write_pandas(file: h5py.File, key: str, values: np.ndarray, columns: tuple[str, ...] = COLUMNS) -> None:
    """A DataFrame in HDFStore's fixed format."""
    group = file.create_group(key)
    for name, value in {
        "CLASS": b"GROUP",
        "pandas_type": b"frame",
        "pandas_version": b"0.15.2",
        "axis0_variety": b"regular",
        "axis1_variety": b"regular",
        "block0_items_variety": b"regular",
        "encoding": b"UTF-8",
        "nblocks": np.int64(1),
        "ndim": np.int64(2),
    }.items():
        group.attrs[name] = value
    names = np.array([name.encode() for name in columns], dtype="S15")
    for name in ("axis0", "block0_items"):
        group.create_dataset(name, data=names).attrs["kind"] = b"string"
    empty = values.shape[0] == 0
    index = group.create_dataset("axis1", data=np.zeros(1, np.int64) if empty else np.arange(len(values)))
    block = group.create_dataset("block0_values", data=np.zeros((1, 1)) if empty else values)
    block.attrs["transposed"] = np.bool_(True)
    if empty:
        for dataset, shape in ((index, b"(lp1\nI0\na."), (block, b"(lp1\nI6\naI0\na.")):
            dataset.attrs["shape"] = shape  # pickled: must never be looked at
            dataset.attrs["value_type"] = b"float64"


def write_published(folder: Path, values: dict) -> tuple[Path, Path]:
    images, craters = folder / "train_images.hdf5", folder / "train_craters.hdf5"
    with h5py.File(images, "w") as file:
        file.create_dataset("input_images", data=values["images"])
        file.create_dataset("target_masks", data=values["masks"])
        for k, bounds in enumerate(values["bounds"]):
            file[f"longlat_bounds/img_{k:05d}"] = bounds
            file[f"pix_bounds/img_{k:05d}"] = np.zeros(4, np.int32)
            file[f"pix_distortion_coefficient/img_{k:05d}"] = values["distortion"][k : k + 1]
            file[f"cll_xy/img_{k:05d}"] = np.array([128.0, 128.0])
    with h5py.File(craters, "w") as file:
        for k, table in enumerate(values["tables"]):
            write_pandas(file, f"img_{k:05d}", table)
    return images, craters


def write_single(folder: Path, values: dict) -> Path:
    path, count = folder / "tiles.h5", len(values["bounds"])
    with h5py.File(path, "w") as file:
        file.create_dataset("input_images", data=values["images"], chunks=(1, 256, 256), compression="gzip")
        file.create_dataset("target_masks", data=values["masks"].astype(np.uint8), chunks=(1, 256, 256))
        file["longlat_bounds"], file["pix_distortion"] = values["bounds"], values["distortion"]
        file["km_per_px"] = np.full(count, 1.2)
        file["elev_min_m"], file["elev_max_m"] = np.full(count, -1000, "f4"), np.full(count, 2000, "f4")
        for k, table in enumerate(values["tables"]):
            columns = dict(zip(COLUMNS, table.T.astype(np.float32), strict=True))
            group = file.create_group(f"craters/img_{k:05d}")
            group["diameter_km"], group["diameter_px"] = columns["Diameter (km)"], columns["Diameter (pix)"]
            group["lat"], group["lon"] = columns["Lat"], columns["Long"]
            group["x_px"], group["y_px"] = columns["x"] - 0.5, columns["y"] - 0.5
    return path
