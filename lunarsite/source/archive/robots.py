"""What a robots.txt allows (RFC 9309, and the older Crawl-delay).

The standard library's reader takes the first rule that fits and knows no wildcards; the standard asks for the longest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

MOST_BYTES = 500 * 2**10
"""So much is read, as the standard asks; what follows is left out."""
_MOST_RULES = 10_000
_MOST_PATTERN = 2_000


@dataclass(frozen=True)
class Robots:
    """Rules for one crawler.

    Attributes:
        rules: (pattern, whether it allows), in the file's order.
        delay_s: Least time between requests that the server asks for, seconds; 0 where it asks for none.
    """

    rules: tuple[tuple[str, bool], ...] = ()
    delay_s: float = 0.0

    def allows(self, url: str) -> bool:
        """Whether an address may be asked for: the longest pattern that fits decides, of two equal ones the kinder."""
        parts = urlsplit(url)
        path = _normal(parts.path or "/") + (f"?{_normal(parts.query)}" if parts.query else "")
        fitting = [(len(pattern), allowed) for pattern, allowed in self.rules if _fits(pattern, path)]
        return max(fitting, default=(0, True))[1]


def read_robots(body: bytes, agent: str) -> Robots:
    """Return the rules that a robots.txt has for a crawler of that name: its own group, or that of all ('*').

    Args:
        body: The file; bytes that are no text count as unknown signs.
        agent: The crawler's name without version, as its user agent begins.
    """
    # Only two groups can count: others are passed over, however many agents and rules they have.
    own, everyone = agent.lower(), "*"
    groups: dict[str, list[tuple[str, str]]] = {}
    opened: set[str] = set()
    begun = False
    for written in body[:MOST_BYTES].decode("utf-8-sig", errors="replace").splitlines():
        key, separator, value = written.split("#", 1)[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if not separator:
            continue
        if key == "user-agent":
            # Agents that stand in a row share the rules after them; groups of one agent are one group.
            opened = set() if begun else opened
            begun = False
            name = value.split("/")[0].strip().lower()
            if name in (own, everyone):
                opened.add(name)
                groups.setdefault(name, [])
        elif key in ("allow", "disallow", "crawl-delay"):
            begun = True
            for name in opened:
                if len(groups[name]) < _MOST_RULES:
                    groups[name].append((key, value[:_MOST_PATTERN]))
    mine = groups.get(own, groups.get(everyone, []))
    rules = [
        (_normal(value), key == "allow")
        for key, value in mine
        if key != "crawl-delay" and value
    ]  # fmt: skip
    delays = [
        float(value) for key, value in mine if key == "crawl-delay" and re.fullmatch(r"\d{1,6}(\.\d{1,6})?", value)
    ]
    return Robots(tuple(rules), max(delays, default=0.0))


def _normal(path: str) -> str:
    # One form for 'ü', '%C3%BC' and '%c3%bc'; what means something in a pattern or an address stays as it is.
    return (
        re.sub(r"%[0-9a-fA-F]{2}", lambda m: m[0].upper(), quote(path, safe="%/?&=*$+,;:@!'()~-._[]")) if path else ""
    )


def _fits(pattern: str, path: str) -> bool:
    ends = pattern.endswith("$")
    parts = (pattern[:-1] if ends else pattern).split("*")
    # Each part is looked for after the one before it: no regular expression, so no pattern takes long.
    if not path.startswith(parts[0]):
        return False
    at = len(parts[0])
    if len(parts) == 1:
        return not ends or at == len(path)
    for part in parts[1:-1]:
        at = path.find(part, at)
        if at < 0:
            return False
        at += len(part)
    last = parts[-1]
    return len(path) - len(last) >= at and path.endswith(last) if ends else path.find(last, at) >= 0
