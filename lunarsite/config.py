"""The files that are generated from the settings: `config.yaml` (the default run) and `config.schema.json`.

`python -m lunarsite.config` writes both into the current folder; a test holds them and the settings together.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from lunarsite.settings import Section, Settings


def schema_text() -> str:
    """Return the JSON schema of the settings, as `config.schema.json` holds it."""
    return json.dumps(Settings.model_json_schema(), indent=2) + "\n"


def default_config_text() -> str:
    """Return the default settings as YAML with their meaning as comments, as `config.yaml` holds it."""
    head = "# The default run, complete. Generated from lunarsite/settings/ (`make config`).\n"
    return (
        head
        + "# Other runs override keys in an overlay: snakemake --configfile workflow/runs/<run>.yaml\n"
        + "".join(_yaml_lines(Settings(), 0))
    )


def _yaml_lines(section: Section, depth: int) -> Iterator[str]:
    pad = "  " * depth
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, Section):
            doc = (type(value).__doc__ or "").strip().splitlines()[0]
            yield f"{pad}{name}:  # {doc}\n"
            yield from _yaml_lines(value, depth + 1)
        else:
            plain = json.dumps(section.model_dump(mode="json")[name])
            # A comment ends with its line: a docstring of several lines becomes one.
            comment = f"  # {' '.join(field.description.split())}" if field.description else ""
            yield f"{pad}{name}: {plain}{comment}\n"


def main() -> None:
    """Write config.yaml and config.schema.json into the current folder."""
    Path("config.yaml").write_text(default_config_text(), encoding="utf-8")
    Path("config.schema.json").write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
