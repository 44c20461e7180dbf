"""Enhancing one image: time and peak memory, against the limits and against the network run on the whole at once.

    python benchmarks/bench_enhance.py [--size 2000] [--model FILE] [--method denoiser] [--threads 2] [--tile-px 512]

The image is a square of `--size` pixels of made-up ground with noise, 32-bit floats. `--model` is a trained model
(default: the one that comes with lunarsite, if it is there; else an untrained network of the default settings, which
costs the same). Each part runs in a process of its own: the file enhanced as the command line does, from GeoTIFF to
COG, statistics and support included; the network alone over tiles; the network alone over the whole image at once, if
`--plain` asks for it, which needs memory with the image's size. Peak memory is the process's own high-water mark
(VmHWM), which includes 0.3 GiB for the libraries. On a busy machine the CPU's seconds tell more than the clock.

Limits, for 2000 x 2000 pixels on two threads: 60 s and 2 GiB. Exit status: 0 if they hold or the image is smaller, 1 if
not. A tall image (`--height`) shows that memory does not grow with the rows.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lunarsite.settings import DenoiserSettings, EnhancementSettings

SIZE_PX, LIMIT_S, LIMIT_GIB = 2_000, 60.0, 2.0
MODELS = Path(__file__).resolve().parents[1] / "resources" / "models" / "enhance"


@dataclass(frozen=True)
class Case:
    """What is run on what."""

    image: Path
    model: Path | None
    method: Literal["denoiser", "cycle"]
    threads: int
    settings: EnhancementSettings

    def enhancer(self) -> Any:
        """Return the network that is timed."""
        import torch

        from lunarsite.vision.enhance.denoiser import Ensemble, EnsembleSpec, member_spec
        from lunarsite.vision.enhance.enhancer import Enhancer
        from lunarsite.vision.enhance.image import load_enhancer

        torch.set_num_threads(self.threads)
        if self.model is not None:
            return load_enhancer(self.method, self.model)
        torch.manual_seed(0)
        settings = DenoiserSettings()
        spec = EnsembleSpec(network=member_spec(settings), contrast="square root", members=settings.members)
        return Enhancer(Ensemble(spec).eval(), "untrained", None)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Cost:
    """What a part took."""

    seconds: float
    cpu_s: float
    peak_gib: float
    megapixels: float
    note: str = ""

    def __str__(self) -> str:
        rate = self.megapixels / self.seconds
        return f"{self.seconds:8.1f} s {self.cpu_s:8.1f} CPU s {rate:7.3f} Mpx/s {self.peak_gib:6.2f} GiB  {self.note}"


def write_image(path: Path, height: int, width: int) -> None:
    """Write made-up ground with noise, strip by strip."""
    import rasterio
    from scipy import ndimage

    rng, rows = np.random.default_rng(0), 1_000
    affine = rasterio.Affine(20.0, 0.0, 0.0, 0.0, -20.0, 0.0)
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "tiled": True, "crs": "IAU_2015:30135"}
    with rasterio.open(path, "w", height=height, width=width, transform=affine, **profile) as dataset:
        for top in range(0, height, rows):
            shape = min(rows, height - top), width
            ground = 20.0 * ndimage.gaussian_filter(rng.standard_normal(shape, np.float32), 10.0)
            noisy = (1.0 + 0.3 * ground + 0.2 * rng.standard_normal(shape, np.float32)).astype(np.float32)
            dataset.write(noisy, 1, window=((top, top + shape[0]), (0, width)))


def whole_file(case: Case) -> Cost:
    """Enhance the file as the command line does."""
    from lunarsite.command import peak_memory_mib
    from lunarsite.vision.enhance.files import enhance_file

    enhancer, out = case.enhancer(), case.image.with_name("out.tif")
    model = case.model or case.image
    start, cpu = time.perf_counter(), time.process_time()
    summary = enhance_file(case.image, out, enhancer, case.settings, model=model, overwrite=True)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    note = f"{100.0 * summary.supported_share:.1f} % supported, {out.stat().st_size / 2**20:.0f} MiB written"
    return Cost(seconds, cpu, peak_memory_mib() / 2**10, summary.height * summary.width / 1e6, note)


def network_alone(case: Case, plain: bool) -> Cost:
    """Run the network over tiles, or over the whole image at once; the image lies in memory."""
    import rasterio
    import torch

    from lunarsite.command import peak_memory_mib
    from lunarsite.vision.enhance.normalise import fit
    from lunarsite.vision.learn.tiling import predict

    enhancer = case.enhancer()
    with rasterio.open(case.image) as dataset:
        image = dataset.read(1)
    standard = fit(image).forward(image)[None]
    start, cpu = time.perf_counter(), time.process_time()
    if plain:
        pad = [(0, 0), *((0, -side % 32) for side in image.shape)]
        with torch.inference_mode():
            enhancer.network(torch.from_numpy(np.pad(standard, pad, mode="reflect"))[None])
    else:
        tiles = {"tile_px": case.settings.tile_px, "halo_px": case.settings.halo_px}
        predict(enhancer.network, standard, outputs=2, stride=1, **tiles)
    return Cost(time.perf_counter() - start, time.process_time() - cpu, peak_memory_mib() / 2**10, image.size / 1e6)


def alone(function: Any, *arguments: Any) -> Cost:
    """Call a function in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        cost: Cost = pool.submit(function, *arguments).result()
    return cost


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=SIZE_PX)
    parser.add_argument("--height", type=int, help="rows, if the image is no square")
    parser.add_argument("--method", choices=("denoiser", "cycle"), default="denoiser")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tile-px", type=int, default=EnhancementSettings().tile_px)
    parser.add_argument("--plain", action="store_true")
    options = parser.parse_args()
    shipped = MODELS / f"{options.method}.safetensors"
    model = options.model or (shipped if shipped.is_file() else None)
    height, width = options.height or options.size, options.size
    with tempfile.TemporaryDirectory() as folder:
        case = Case(
            Path(folder) / "image.tif",
            model,
            options.method,
            options.threads,
            EnhancementSettings(tile_px=options.tile_px),
        )
        write_image(case.image, height, width)
        what = f"{height} x {width} px, {model or 'untrained network'}"
        print(f"{what}, {options.threads} threads, tiles of {options.tile_px}", flush=True)
        file = alone(whole_file, case)
        print(f"{'file to COG':<24}{file}", flush=True)
        print(f"{'network, tiles':<24}{alone(network_alone, case, False)}")
        if options.plain:
            print(f"{'network, whole at once':<24}{alone(network_alone, case, True)}")
    shares = f"{file.seconds / LIMIT_S:.2f} of {LIMIT_S:g} s, {file.peak_gib / LIMIT_GIB:.2f} of {LIMIT_GIB:g} GiB"
    print(f"of the limits: {shares}")
    holds = file.seconds <= LIMIT_S and file.peak_gib <= LIMIT_GIB
    return 0 if holds or height * width < SIZE_PX**2 else 1


if __name__ == "__main__":
    sys.exit(main())
