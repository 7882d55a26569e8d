"""An answer of another tool as a line of ours, and what the readers of layouts share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.digest import canonical
from ftbuild.imports.expected import Expected
from ftbuild.imports.messages import last_asked
from ftbuild.problem import Problem

RULE = "not-an-answer"


@dataclass(frozen=True)
class Answer:
    """What one of the `column`s answered to the question `id`; `line` and `at` say where that stands.

    `output` is None where there is no answer, as after an error; `value` is the score that the tool gave it, None for
    none. `messages` are the question as it was put, `asked` is what it says as a text that can be compared.
    """

    id: str
    column: str
    line: int
    at: str
    messages: Sequence[Mapping[str, Any]]
    output: str | Mapping[str, Any] | None
    expected: Expected
    value: float | None
    asked: str

    def to_json(self) -> dict[str, Any]:
        """Return it as a line that `ftbuild score` and `ftbuild compare` take."""
        value: dict[str, Any] = {"id": self.id, "input": last_asked(self.messages), "output": self.output}
        target = self.expected.target if self.expected.whole else None
        value |= {"target": target, "value": self.value, "asked": self.asked}
        criteria = [each.to_json() for each in self.expected.criteria]
        forms = [each.value for each in self.expected.criteria if each.kind == "is-json" and not each.negated]
        schema = next((each for each in forms if each is not None), None)
        return value | ({"criteria": criteria} if criteria else {}) | ({"schema": schema} if schema else {})


def comparable(value: Any) -> str:
    """Return a question as a text that is the same for the same one."""
    return canonical(value).decode()


def number(value: Any) -> float | None:
    """Return a score, None for what is none."""
    return float(value) if isinstance(value, bool | int | float) else None


def broken(what: str, line: int, at: str, fix: str = "") -> Problem:
    """Return that something is no answer."""
    return Problem(what, line=line, at=at, fix=fix or "export the file again, whole.", rule=RULE)
