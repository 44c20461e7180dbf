"""Time and peak memory of a run's jobs by rule, from the benchmark files that snakemake left.

    python benchmarks/bench_run.py [RUN ...]        all runs in results/ if none is named

A job's peak memory is its resident set as snakemake sampled it; short jobs may be sampled low. Times depend
on what else the machine was doing.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """One job's measurement."""

    rule: str
    wall_s: float
    cpu_s: float
    peak_mib: float


def read_jobs(folder: Path) -> list[Job]:
    """Return the jobs of a run's benchmark folder; 'illumination-sweep_0' is a job of the rule 'illumination-sweep'."""
    jobs = []
    for path in sorted(folder.glob("*.tsv")):
        rule = re.split(r"_(?=[\d.]+m?$)", path.stem)[0]
        with path.open(encoding="utf-8", newline="") as file:
            jobs += [
                Job(rule, number(row["s"]), number(row["cpu_time"]), number(row["max_rss"]))
                for row in csv.DictReader(file, delimiter="\t")
            ]
    return jobs


def number(text: str) -> float:
    """Return a number; snakemake writes NA for a job too short to be sampled."""
    return float("nan") if text in ("NA", "-", "") else float(text)


def report(run: str, jobs: list[Job]) -> str:
    """Return a table of the jobs by rule, the slowest first, and the sums."""
    by_rule: dict[str, list[Job]] = {}
    for job in jobs:
        by_rule.setdefault(job.rule, []).append(job)
    lines = [f"run '{run}'", f"  {'rule':<26}{'jobs':>5}{'wall s':>10}{'CPU s':>10}{'peak MiB':>10}"]
    for rule, of_rule in sorted(by_rule.items(), key=lambda item: -sum(job.wall_s for job in item[1])):
        wall_s, cpu_s = sum(job.wall_s for job in of_rule), sum(job.cpu_s for job in of_rule)
        peak_mib = max(job.peak_mib for job in of_rule)
        lines.append(f"  {rule:<26}{len(of_rule):>5}{wall_s:>10.1f}{cpu_s:>10.1f}{peak_mib:>10.0f}")
    total = sum(job.wall_s for job in jobs)
    peak_mib = max(job.peak_mib for job in jobs)
    lines.append(f"  {'sum (jobs may overlap)':<26}{len(jobs):>5}{total:>10.1f}{'':>10}{peak_mib:>10.0f}")
    return "\n".join(lines)


def main() -> int:
    """Print one table for each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", metavar="RUN", help="names of runs; all in results/ if none is named")
    named = parser.parse_args().runs
    results = Path(__file__).resolve().parents[1] / "results"
    folders = [results / run for run in named] or sorted(p for p in results.glob("*") if (p / "benchmark").is_dir())
    missing = 0
    for folder in folders:
        jobs = read_jobs(folder / "benchmark")
        missing += not jobs
        print(report(folder.name, jobs) if jobs else f"run '{folder.name}': no benchmarks; make the run first")
    if not folders:
        print("no runs in results/; make one first: make run")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
