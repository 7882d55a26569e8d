"""What is said in a training line, whichever method it was written for."""

from collections.abc import Mapping, Sequence
from typing import Any

from ftbuild.render import dpo, reinforcement


def conversation(line: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the messages of a line that we wrote, the answer to learn last."""
    if "input" in line:
        return dpo.read(line)["messages"]  # type: ignore[no-any-return]
    return (reinforcement.read(line) if "reference" in line else line)["messages"]  # type: ignore[no-any-return]
