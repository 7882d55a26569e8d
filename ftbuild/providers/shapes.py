"""What a provider's JSON says of a job, an event, a checkpoint, whatever shape it has: nothing here raises.

A server that speaks the protocol nearly says less than its reference, or says it otherwise: an error as a text, a time
as a date, a status that is missing. What cannot be read is not known; a job that is paid for is followed all the same.
The key is in nothing that is returned: a server may repeat what it refuses.
"""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ftbuild.ledger.port import PARKED, TERMINAL, JobEvent, JobState

UNKNOWN = "unknown"  # the status of a job whose provider tells none
SHORTEST_KEY = 8


def job(said: Mapping[str, Any], statuses: Mapping[str, str], key: str) -> JobState:
    """Return a job; `statuses` maps its words for a status to OpenAI's."""
    raw = without(key, dict(said))
    status = _text(raw.get("status")) or UNKNOWN
    status = status.lower() if status.lower() in (*TERMINAL, *PARKED) else status
    message, code = _error(raw.get("error"))
    finish = _seconds(raw.get("estimated_finish"))
    if not isinstance(raw.get("metadata"), dict):
        raw["metadata"] = None
    if not isinstance(raw.get("method"), dict):
        raw["method"] = None
    return JobState(
        id=str(raw["id"]),
        status=statuses.get(status, status),
        created_at=_seconds(raw.get("created_at")) or 0,
        fine_tuned_model=_text(raw.get("fine_tuned_model")),
        error=message,
        error_code=code,
        estimated_finish=finish,
        raw=raw,
    )


def event(said: Mapping[str, Any], key: str) -> JobEvent:
    """Return an event; of metrics what is a finite number."""
    said = without(key, dict(said))
    kind = _text(said.get("type")) or "message"
    data = said["data"] if isinstance(said.get("data"), dict) else {}
    if kind == "metrics":
        data = {name: number(value) for name, value in data.items()}
        data |= {name: int(data[name]) for name in ("step", "total_steps") if data.get(name) is not None}
    return JobEvent(
        id=str(said["id"]),
        created_at=_seconds(said.get("created_at")) or 0,
        type=kind,
        message=_text(said.get("message")) or "",
        data=data,
    )


def checkpoint(said: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return a checkpoint, None of one that tells no step."""
    step = number(said.get("step_number"))
    if step is None:
        return None
    metrics = said["metrics"] if isinstance(said.get("metrics"), dict) else {}
    numbers = {name: number(value) for name, value in metrics.items()}
    return {**said, "step_number": int(step), "metrics": numbers}


def number(value: Any) -> float | int | None:
    """Return a finite number, also one that stands in a text; None of anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = value if isinstance(value, int | float) else float(value)
        return found if math.isfinite(found) else None
    except (ValueError, OverflowError):
        return None


def without(key: str, value: Any) -> Any:
    """Return a JSON value in which the key stands nowhere."""
    if len(key) < SHORTEST_KEY:
        return value
    if isinstance(value, str):
        return value.replace(key, "[key]")
    if isinstance(value, list):
        return [without(key, each) for each in value]
    if isinstance(value, dict):
        return {without(key, name): without(key, each) for name, each in value.items()}
    return value


def _error(said: Any) -> tuple[str | None, str | None]:
    """Return the words and the code of an error; both None where there is none (a healthy job may say {code: null})."""
    if isinstance(said, dict):
        code, message = said.get("code"), said.get("message")
        return _text(message) or (_text(code) and f"error {code}"), _text(code)
    return _text(said), None


def _text(value: Any) -> str | None:
    """Return what is said as a text, None where nothing is."""
    if value is None or value in ("", [], {}):
        return None
    return value if isinstance(value, str) else json.dumps(value)


def _seconds(value: Any) -> int | None:
    """Return a time as seconds since 1970, also one that is written as a date."""
    found = number(value)
    if found is None and isinstance(value, str):
        try:
            found = datetime.fromisoformat(value).timestamp()
        except (ValueError, OverflowError):
            return None
    return None if found is None else int(found)
