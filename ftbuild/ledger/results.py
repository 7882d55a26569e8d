"""The metrics of a job: from its events, and from its result files where those tell of more steps.

Result files are CSV, read by their header, whose names differ between providers and guides; OpenAI gives newer
ones in base64 (its API reference and cookbook, 2026-11).
"""

import base64
import binascii
import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ftbuild.ledger.port import JobEvent

ALWAYS = ("step", "train_loss", "valid_loss", "full_valid_loss")
OF_REWARDS = ("train_reward_mean", "valid_reward_mean", "full_valid_reward_mean")
# a column of a result file -> its name in an event
SAME = {
    "train_accuracy": "train_mean_token_accuracy",
    "validation_loss": "valid_loss",
    "full_validation_loss": "full_valid_loss",
    "validation_mean_token_accuracy": "valid_mean_token_accuracy",
}

Row = dict[str, Any]


def rows_of_events(events: Iterable[JobEvent]) -> list[Row]:
    """Return a row for each step that the events tell of, by step."""
    told = [event.data for event in events if event.type == "metrics" and event.data.get("step") is not None]
    return merged([_row(each) for each in told], [])


def rows_of_file(content: bytes) -> list[Row]:
    """Return the rows of a result file, none where it is no table of steps."""
    for text in _texts(content):
        table = csv.DictReader(io.StringIO(text))
        names = [SAME.get(name.strip(), name.strip()) for name in table.fieldnames or ()]
        if "step" in names:
            table.fieldnames = names
            rows = [{name: _number(text) for name, text in each.items() if name in names} for each in table]
            return merged([_row(each) for each in rows if each["step"] is not None], [])
    return []


def merged(first: Sequence[Row], second: Sequence[Row]) -> list[Row]:
    """Return the rows of both by step; where both tell of a value, that of `first` counts."""
    found: dict[int, Row] = {}
    for row in (*first, *second):
        known = found.setdefault(int(row["step"]), {**row, "step": int(row["step"])})
        known |= {name: value for name, value in row.items() if known.get(name) is None}
    return [found[step] for step in sorted(found)]


def _row(told: Mapping[str, Any]) -> Row:
    return {name: told.get(name) for name in ALWAYS} | {
        name: told[name] for name in OF_REWARDS if told.get(name) is not None
    }


def _texts(content: bytes) -> Iterable[str]:
    """Yield what the bytes may say: as they are, and out of base64."""
    yield content.decode("utf-8-sig", "replace")
    try:
        yield base64.b64decode(b"".join(content.split()), validate=True).decode("utf-8-sig", "replace")
    except (binascii.Error, ValueError):
        return


def _number(text: str | None) -> float | None:
    """Return the number in a cell, None where it is empty or says none."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
