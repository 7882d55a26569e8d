"""Names that providers take for tools: up to 64 of a-z, A-Z, 0-9, _ and -. Source: OpenAI API reference (2026-11)."""

import re
from collections.abc import Iterable, Iterator

from ftbuild.digest import of_bytes

OTHER = re.compile(r"[^a-zA-Z0-9_-]")
LONGEST = 64
MARK_DIGITS = 8


def provider_names(names: Iterable[str]) -> dict[str, str]:
    """Return each name with the one a provider is told, no two alike, so that the map can be read backwards.

    A letter that is not taken becomes `_`; a name too long, or like another's, ends with digits of its digest, and
    so does `tool` in place of a name that has no letter to keep.
    """
    mapped: dict[str, str] = {}
    listed = list(dict.fromkeys(names))
    taken = set(filter(is_taken, listed))
    for name in listed:
        plain = OTHER.sub("_", name)
        lost = not plain.strip("_-") and name not in taken
        plain = "tool" if lost else plain
        if name not in taken and (lost or plain in taken or len(plain) > LONGEST):
            plain = next(each for each in _marked(plain, name) if each not in taken)
        taken.add(plain)
        mapped[name] = plain
    return mapped


def _marked(plain: str, name: str) -> Iterator[str]:
    """Yield what a name may be called instead, with ever more digits of its digest."""
    digest = of_bytes(name.encode("utf-8", "surrogatepass"))
    for n in range(MARK_DIGITS, LONGEST - 1):
        yield f"{plain[: LONGEST - n - 1]}_{digest[:n]}"


def is_taken(name: str) -> bool:
    """Return whether a provider takes a name as it is."""
    return bool(name) and not OTHER.search(name) and len(name) <= LONGEST
