"""Alpaca: {"instruction", "input"?, "output", "system"?, "history"?}.

The instruction and the input are one message, with an empty line between. Source: tatsu-lab/stanford_alpaca
(2023), and `system` and `history` as hiyouga/LLaMA-Factory has them (2026-11).
"""

from collections.abc import Iterator
from typing import Any

from ftbuild.problem import Problem
from ftbuild.sources.conversations import Converted, media
from ftbuild.tools.schemas import shown


def convert(value: Any) -> Converted:
    """Return an Alpaca line as a training line."""
    if not isinstance(value, dict):
        return Converted(value)
    problems = [
        Problem(f"no {name!r}", fix=f"the line has {shown([*value])}.", rule="missing-field")
        for name in ("instruction", "output")
        if name not in value
    ]
    if problems:
        return Converted(None, tuple(problems))
    problems = list(_unread(value))
    if problems:
        return Converted(None, tuple(problems))
    asked = "\n\n".join(each for each in (value["instruction"], value.get("input")) if each)
    told = [("system", "system", value["system"])] if value.get("system") else []
    for number, (question, answer) in enumerate(value.get("history") or []):
        told += [(f"history[{number}][0]", "user", question), (f"history[{number}][1]", "assistant", answer)]
    told += [("instruction", "user", asked), ("output", "assistant", value["output"])]
    places = {f"messages[{number}]{part}": at for number, (at, *_) in enumerate(told) for part in ("", ".content")}
    return Converted({"messages": [{"role": role, "content": said} for _, role, said in told]}, places=places)


def _unread(value: dict[str, Any]) -> Iterator[Problem]:
    """Yield what would be lost of a line, since it is not of the layout."""
    for name in ("instruction", "input"):
        if not isinstance(value.get(name), str | None):
            fix = "write it as a text."
            yield Problem(f"{shown(value[name])} is not a text", at=name, fix=fix, rule="content-not-a-text")
    history = value.get("history") or []
    if not isinstance(history, list) or not all(isinstance(each, list) and len(each) == 2 for each in history):
        fix = "write [[question, answer], ...]."
        yield Problem(f"{shown(history)} is no list of pairs", at="history", fix=fix, rule="not-a-list")
    yield from media(value)
