"""Alpaca: {"instruction", "input"?, "output", "system"?, "history"?}.

The instruction and the input are one message, with an empty line between. Source: tatsu-lab/stanford_alpaca
(2023), and `system` and `history` as hiyouga/LLaMA-Factory has them (2026-11).
"""

from typing import Any

from ftbuild.problem import Problem
from ftbuild.sources.conversations import Converted
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
    parts = [value["instruction"], *([value["input"]] if value.get("input") else [])]
    asked = "\n\n".join(parts) if all(isinstance(each, str) for each in parts) else value["instruction"]
    messages: list[dict[str, Any]] = []
    places: dict[str, str] = {}
    if value.get("system"):
        places["messages[0]"] = "system"
        messages.append({"role": "system", "content": value["system"]})
    for number, turn in enumerate(value["history"] if isinstance(value.get("history"), list) else []):
        for place, said in enumerate(turn if isinstance(turn, list) else [turn]):
            places[f"messages[{len(messages)}]"] = f"history[{number}][{place}]"
            messages.append({"role": "assistant" if place else "user", "content": said})
    places |= {f"messages[{len(messages)}]": "instruction", f"messages[{len(messages) + 1}]": "output"}
    messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": value["output"]}]
    return Converted({"messages": messages}, places=places)
