"""When something was said: ISO 8601 or seconds since 1970, as one number.

Owns the reading of times in data and in the config. Source: ISO 8601 as RFC 3339 and Python's `fromisoformat` read it.
"""

import math
from datetime import UTC, datetime

# Numbers beyond this are milliseconds: as seconds they would lie past the year 5000.
MILLISECONDS_FROM = 1e11


def seconds(said: object) -> float | None:
    """Return seconds since 1970 (UTC), None for what is no time; a text without a zone is read as UTC."""
    if isinstance(said, bool):
        return None
    if isinstance(said, str):
        text = said.strip()
        try:
            number = float(text)
        except ValueError:
            return _of_text(text)
        # 2026 and 20261125 are a year and a date, no seconds.
        return _of_text(text) if text.isdigit() and len(text) in (4, 8) else _of_number(number)
    return _of_number(said) if isinstance(said, int | float) else None


def _of_number(number: float) -> float | None:
    if not math.isfinite(number):
        return None
    return number / 1000 if abs(number) >= MILLISECONDS_FROM else float(number)


def _of_text(text: str) -> float | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
