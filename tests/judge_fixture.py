"""The shipped judge: its labelled examples, and answers that agree with them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ftbuild.scorers.judge import asked

ROOT = Path(__file__).parents[1]
JUDGED = ("+experiment=tone_formal", "judge=formal", "evaluation=judged")
LABELLED = [json.loads(line) for line in (ROOT / "conf" / "judge" / "formal.jsonl").read_bytes().splitlines()]


def as_labelled(pairs: Sequence[dict[str, Any]], rubric: str) -> bytes:
    """Return answers of the scripted engine that agree with every label, in both orders."""
    letters = {"one": ("A", "B"), "other": ("B", "A"), "tie": ("T", "T")}
    lines = [
        {"match": {"contains": text}, "answer": letter}
        for each in pairs
        for text, letter in zip(
            asked(rubric, each["message"], each["one"], each["other"]), letters[each["better"]], strict=True
        )
    ]
    return b"".join(json.dumps(each).encode() + b"\n" for each in lines)
