"""A copy of the checkout in which the real snakemake runs, so that tests may change code and results."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
TINY = "workflow/runs/tiny.yaml"


@dataclass(frozen=True)
class Checkout:
    """A working copy at `root`."""

    root: Path
    overlays: tuple[str, ...] = (TINY,)
    """Overlays of the run that is made in it, relative to `root`."""
    run: str = "tiny"

    @classmethod
    def copy(cls, root: Path, overlays: tuple[str, ...] = (TINY,), run: str = "tiny") -> Checkout:
        """Copy what git knows or would add."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\0")
        for name in filter(None, listed):
            source, target = REPOSITORY / name, root / name
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        return cls(root, overlays, run)

    @property
    def results(self) -> Path:
        """Where the run's results lie."""
        return self.root / "results" / self.run

    def command(self, *arguments: str, changes: dict[str, object] | None = None) -> list[str]:
        """Return the command line of snakemake for the run, with changed settings if any are given."""
        overlays = list(self.overlays)
        if changes:
            overlay = self.root / "changes.yaml"
            overlay.write_text(yaml.safe_dump(changes))
            overlays.append(overlay.name)
        return [sys.executable, "-m", "snakemake", "--cores", "2", *arguments, "--configfile", *overlays]

    def snakemake(
        self, *arguments: str, changes: dict[str, object] | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run snakemake to its end; output and errors together are in `stdout`."""
        done = subprocess.run(
            self.command(*arguments, changes=changes),
            cwd=self.root,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stdout[-4000:]
        return done

    def planned(self, *arguments: str, changes: dict[str, object] | None = None) -> set[str]:
        """Return the rules that would run, without `all`."""
        text = self.snakemake("--dry-run", *arguments, changes=changes).stdout
        return set(re.findall(r"^(?:local)?rule (\w+):", text, re.MULTILINE)) - {"all"}

    def environment(self) -> dict[str, str]:
        """Return the environment of the caller without what would reach another checkout's package."""
        ours = ("PYTHONPATH", "NUMBA_NUM_THREADS", "NUMBA_CACHE_DIR")
        return {name: value for name, value in os.environ.items() if name not in ours}
