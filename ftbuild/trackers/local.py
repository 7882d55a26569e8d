"""Metrics as lines of a file: {"name", "step"? or "slice" and "arm", "values"}; written when the run ends, whole."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ftbuild.store import durable


def write(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write the metrics of one run."""
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    durable.write(path, text.encode())
