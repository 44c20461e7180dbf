"""What may go wrong with a download and what comes of it: read by the tests and by the table in docs/fetching.md.

python -m tests.unit.source.fetch.cases    # writes the table into the page
"""

from __future__ import annotations

from pathlib import Path

from .case_list import CASES

PAGE = Path(__file__).parents[4] / "docs" / "fetching.md"
BEGIN, END = "<!-- cases: written by tests/unit/source/fetch/cases.py -->", "<!-- end of cases -->"


def table() -> str:
    """Return the table of cases, in Markdown."""
    rows = ["| what happens | what comes of it | in place | requests |", "|---|---|---|---|"]
    for case in CASES:
        requests = "" if case.test else str(len(case.starts) + case.mirror)
        rows.append(f"| {case.title} | {case.outcome} | {'nothing' if case.error else 'the file'} | {requests} |")
    return "\n".join(rows)


def page(text: str) -> str:
    """Return the page's text with the table as it is now."""
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{table()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
