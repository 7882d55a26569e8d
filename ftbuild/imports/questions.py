"""Questions with what is expected of an answer, out of files of other tools: `ftbuild init` makes a source of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ftbuild.imports.answers import Recorded
from ftbuild.imports.expected import NOT_CARRIED, Expected
from ftbuild.problem import Problem

NO_TARGET = "equals, contains and the like say what is expected; an example needs an answer, or a piece of one."


@dataclass(frozen=True)
class Question:
    """Messages that ask, and what is expected; `path`, `line` and `at` say where it stands."""

    messages: Sequence[Mapping[str, Any]]
    expected: Expected
    path: str
    line: int
    at: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as a chat line that ends with the reference answer, or with the piece that stands for it."""
        answer = {"role": "assistant", "content": self.expected.target}
        value: dict[str, Any] = {"messages": [*self.messages, answer]}
        if self.expected.criteria:
            value["criteria"] = [each.to_json() for each in self.expected.criteria]
        return value | {"from": f"{self.path}:{self.line}"}


@dataclass
class Questions:
    """What a file asks. `said` is what it is, for people; `problems` name what was not carried over, and errors."""

    said: str
    listed: list[Question] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def ask(self, question: Question) -> None:
        """Take a question, or say why it is none of ours."""
        found = question.expected.problems
        self.problems += [
            replace(each, path=each.path or question.path, line=each.line or question.line) for each in found
        ]
        if question.expected.target:
            self.listed.append(question)
        else:
            said = "not carried over: the whole question: no expected answer"
            self.leave(Problem(said, question.path, question.line, at=question.at, fix=NO_TARGET))

    def leave(self, problem: Problem) -> None:
        """Note what is not carried over."""
        self.problems.append(replace(problem, rule=NOT_CARRIED, severity="warning"))


def of_recorded(recorded: Recorded, path: str) -> Questions:
    """Return what was asked of those whose answers were recorded, each question once."""
    found = Questions(recorded.said, problems=[replace(each, path=path) for each in recorded.problems])
    asked = {each.asked: each for each in reversed(recorded.answers)}
    for each in sorted(asked.values(), key=recorded.answers.index):
        found.ask(Question(each.messages, each.expected, path, each.line, each.at))
    return found
