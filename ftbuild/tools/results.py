"""What a tool returns when an evaluation calls it: implementations by name, ours and those of installed packages.

A config names one and holds no code: ours stand in OURS, others are entry points of the group `ftbuild.tools`, each
an Implementation. Knows nothing of the order in which calls come.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ftbuild.chat import ToolCall
from ftbuild.rows import NotJsonError, parse
from ftbuild.tools import calculator, glossary, weather

GROUP = "ftbuild.tools"
Run = Callable[[str, Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Implementation:
    """One way to run a tool; `version` changes whenever a call could return something else.

    `make` gets the bytes of the file that the config names, b"" where it names none, and returns what runs a call:
    the tool's name and the arguments in, a JSON value out, the same for the same call. What it raises is told to the
    model as `{"error": ...}`.
    """

    version: int
    make: Callable[[bytes], Run]
    reads_file: bool = False


OURS: Mapping[str, Implementation] = {
    "calculator": Implementation(1, lambda _content: calculator.run),
    "glossary": Implementation(1, glossary.make, reads_file=True),
    "weather": Implementation(1, lambda _content: weather.run),
}


def names() -> list[str]:
    """Return the names of all implementations, ours first."""
    return [*OURS, *sorted(_entry_points().keys() - OURS.keys())]


def find(name: str) -> Implementation | None:
    """Return an implementation; None where there is none of that name.

    Raises:
        ValueError: an installed package offers it and it is none.
    """
    if name in OURS:
        return OURS[name]
    if (point := _entry_points().get(name)) is None:
        return None
    try:
        found = point.load()
    except Exception as error:  # another's code
        raise ValueError(f"{point.value} cannot be imported: {error}") from error
    if not isinstance(found, Implementation):
        raise ValueError(f"{point.value} is no ftbuild.tools.results.Implementation")
    return found


def returned(call: ToolCall, run: Run) -> str:
    """Return the result of a call as the content of a tool message: JSON, `{"error": ...}` where it failed."""
    try:
        arguments = parse(call.arguments.encode("utf-8", "surrogatepass"))
        if not isinstance(arguments, dict):
            raise ValueError("the arguments are no JSON object")
        return json.dumps(run(call.name, arguments), ensure_ascii=False)
    except NotJsonError:
        return json.dumps({"error": "the arguments are no JSON object"})
    except Exception as error:  # another's code: what goes wrong in it is a result
        return json.dumps({"error": str(error) or type(error).__name__}, ensure_ascii=False)


def _entry_points() -> Mapping[str, Any]:
    from importlib.metadata import entry_points  # slow, and most configs name ours

    return {point.name: point for point in entry_points(group=GROUP)}
