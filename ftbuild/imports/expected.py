"""What a tool expects of an answer, as a reference answer and criteria of ours, with what could not be carried over."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from ftbuild import digits
from ftbuild.criteria import KINDS, NOT, OF_TEXTS, Criterion
from ftbuild.imports import yaml_text
from ftbuild.imports.templates import filled_in
from ftbuild.problem import Problem
from ftbuild.tools.schemas import shown

NOT_CARRIED = "not-carried-over"
# What compares with a reference answer in a way that is not ours: the reference is kept.
OF_A_REFERENCE = (
    "similar",
    "levenshtein",
    "rouge-n",
    "bleu",
    "gleu",
    "meteor",
    "factuality",
    "model-graded-factuality",
)
CODE = ("javascript", "python", "ruby", "webhook")
JUDGED = ("llm-rubric", "g-eval", "model-graded-closedqa", "answer-relevance", "search-rubric")
# A criterion whose text is a piece of the answer: where no whole answer is said, that stands for it.
PIECES = ("contains", "icontains", "starts-with", *OF_TEXTS)
LABELS = ("type", "value", "metric")  # what an assertion may say beside; a metric is just its name


@dataclass
class Expected:
    """What is expected of one answer.

    `target` is the reference answer, None where none is said; `whole` says that it is one, and no piece of an answer
    that stands for it. `problems` name what was not carried over.
    """

    target: str | None = None
    whole: bool = False
    criteria: list[Criterion] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def refer(self, text: str, *, whole: bool = True) -> None:
        """Take a text as the reference, if it says more than what there is."""
        if self.target is None or (whole and not self.whole):
            self.target, self.whole = text, whole

    def require(self, kind: str, value: Any, at: str) -> None:
        """Add a criterion, or say why it is none."""
        try:
            criterion = Criterion.from_json({"type": kind, **({} if value is None else {"value": value})})
        except ValueError as error:
            self.leave(kind, at, str(error))
            return
        self.criteria.append(criterion)
        if kind == "equals" and isinstance(value, str):
            self.refer(value)
        elif kind in PIECES:
            texts = [value] if isinstance(value, str) else value
            self.refer(texts[0] if kind.endswith("any") else ", ".join(texts), whole=False)

    def leave(self, what: str, at: str, why: str, fix: str = "") -> None:
        """Say that something is not carried over."""
        said = f"not carried over: {what}"
        self.problems.append(Problem(said, at=at, why=why, fix=fix, rule=NOT_CARRIED, severity="warning"))


def of_test(test: Mapping[str, Any], values: Mapping[str, Any], at: str, found: Expected | None = None) -> Expected:
    """Return what a test of promptfoo expects, added to what is `found` already.

    `values` are those of its templates, `at` is where it stands.
    """
    found = Expected() if found is None else found
    asserts = test.get("assert") or []
    if not isinstance(asserts, list):
        found.leave(f"assert {shown(asserts)}", at, "It is no list.")
        return found
    for where, each in _flat(asserts, f"{at}.assert".removeprefix("."), found):
        _assertion(found, each, values, where)
    if test.get("threshold") is not None:
        found.leave(f"threshold {test['threshold']}", at, "All criteria of a test are to be met.")
    for name in ("transform", "postprocess"):
        options = test.get("options")
        if isinstance(options, Mapping) and options.get(name):
            found.leave(f"options.{name}", at, "No code of a config is run: answers are taken as they come.")
    if test.get("assertScoringFunction"):
        found.leave("assertScoringFunction", at, "No code of a config is run.")
    return found


def _flat(asserts: Sequence[Any], at: str, found: Expected) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the assertions with their places, those of sets one by one."""
    for number, each in enumerate(asserts):
        where = f"{at}[{number}]"
        if not isinstance(each, Mapping) or not isinstance(each.get("type"), str):
            found.leave(shown(each), where, "It is no assertion: {type: contains, value: ...}.")
        elif each["type"] != "assert-set":
            yield where, each
        elif each.get("threshold") is not None or not isinstance(each.get("assert"), list):
            found.leave("assert-set with a threshold", where, "All criteria of a test are to be met.")
        else:
            yield from _flat(each["assert"], f"{where}.assert", found)


def _assertion(found: Expected, said: Mapping[str, Any], values: Mapping[str, Any], at: str) -> None:
    kind = said["type"]
    plain = kind.removeprefix(NOT)
    try:
        value = _meant(plain, filled_in(said.get("value"), values))
    except ValueError as error:
        found.leave(kind, at, f"Its value is {error}.")
        return
    if isinstance(value, str) and value.startswith("file://"):
        found.leave(f"{kind} of {value}", at, "Its value stands in another file.", "write the value into the test.")
    elif "transform" in said:
        found.leave(f"{kind} with a transform", at, "No code of a config is run.")
    elif plain in KINDS:
        for name in said.keys() - LABELS:
            if said[name] not in (None, 1):
                found.leave(f"{name} of {kind}", at, "All criteria of a test count alike.")
        found.require(kind, value, at)
    elif plain.partition(":")[0] in OF_A_REFERENCE:
        found.leave(kind, at, "Its value is kept as the reference answer: chrf, rouge_l and judge compare with it.")
        if kind == plain and isinstance(value, str):
            found.refer(value)
    else:
        found.leave(kind, at, *_why(plain))


def _why(kind: str) -> tuple[str, str]:
    """Return why an assertion is not carried over, and what to do."""
    if kind in JUDGED:
        return "A model judges it.", "write its rubric as conf/judge/NAME.yaml, for the scorer judge."
    if kind in CODE:
        return "No code of a config is run.", "say it as criteria; `ftbuild compare` takes the scores it gave."
    return "No scorer of ours measures it.", ""


def _meant(kind: str, value: Any) -> Any:
    """Return a value in the one form that a criterion has of the several that promptfoo takes."""
    if kind in OF_TEXTS and isinstance(value, str):
        return [each.strip() for each in value.split(",")]
    if kind == "is-json" and isinstance(value, str) and not value.startswith("file://"):
        return _schema(value)
    if kind == "word-count" and isinstance(value, int | str) and str(value).isdigit():
        return {"min": int(value), "max": int(value)}
    if kind != "word-count" and isinstance(value, int | float) and not isinstance(value, bool):
        return digits.written(value)
    return value


def _schema(text: str) -> Any:
    """Return the JSON Schema that a text holds, the text where it holds none."""
    try:
        value = yaml_text.read(text)
    except yaml.YAMLError:
        return text
    return value if isinstance(value, dict) else text
