"""On which terms a dataset is offered to a provider: what its settings say, and the names of all its tools."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ftbuild.chat import Tool
from ftbuild.dataset.offered import Terms, may_name_others, named, names_told
from ftbuild.example import Example
from ftbuild.partitions import Pool, mapped, pool_of
from ftbuild.runners.formats import parse_lines
from ftbuild.stream import Content, lines


def terms_of(settings: Any, inputs: Mapping[str, Content], given: Mapping[str, Any]) -> Terms:
    """Return the terms; the examples are looked through for names, and read only where one may need another."""
    tools = [Tool.from_json(json.loads(each)) for each in settings.get("tools", ())]
    return Terms(
        names_told(_names(inputs, tools, pool_of(given))),
        settings.get("strict_tools"),
        settings.get("parallel_calls") == "one_by_one",
    )


def _names(inputs: Mapping[str, Content], tools: Sequence[Tool], pool: Pool) -> set[str]:
    """Return the names of all tools where one of them may need another name, those of the settings elsewhere."""
    own = {tool.name for tool in tools}
    pieces = (piece for content in inputs.values() for piece in lines(content))
    if not names_told(own) and not any(map(may_name_others, pieces)):  # here: it takes less than handing them over
        return own
    pieces = (piece for content in inputs.values() for piece in lines(content))
    return own.union(*mapped(_named, pieces, pool, len))


def _named(content: bytes) -> set[str]:
    return {name for value in parse_lines(content) for name in named(Example.from_json(value))}
