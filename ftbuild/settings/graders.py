"""Graders of reinforcement: what gives an answer its reward. As OpenAI names them (API reference, 2026-11;
what a formula is made of: its guide to graders).

A text may hold templates: {{sample.output_text}} is what the model has said, {{item.reference}} what the data says.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ftbuild.settings.node import Node

SOURCE_BYTES = 256 * 1000
FUNCTIONS = ("min", "max", "abs", "floor", "ceil", "exp", "sqrt", "log")
# What a formula is made of.
FORMULA = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Call, ast.Name, ast.Constant, ast.Load, ast.Add, ast.Sub, ast.Mult,
    ast.Div, ast.Pow, ast.USub, ast.UAdd,
)  # fmt: skip
Similarity = Literal[
    "cosine", "fuzzy_match", "bleu", "gleu", "meteor", "rouge_1", "rouge_2", "rouge_3", "rouge_4", "rouge_5", "rouge_l"
]
# What a template may name: of an answer, and of the line it answers.
SAMPLE_FIELDS = ("output_text", "output_json", "output_tools", "choices", "model")
ITEM_FIELDS = ("parallel_tool_calls", "reference", "reference_json", "reference_tools")
TEMPLATE = re.compile(r"\{\{\s*(.*?)\s*\}\}")


class StringCheck(Node):
    """1 where `input` and `reference` are equal (`eq`), are not (`ne`), or one holds the other (`like`, `ilike`)."""

    type: Literal["string_check"]
    name: str
    input: str
    reference: str
    operation: Literal["eq", "ne", "like", "ilike"]


class TextSimilarity(Node):
    """How near `input` is to `reference` by `evaluation_metric`."""

    type: Literal["text_similarity"]
    name: str
    input: str
    reference: str
    evaluation_metric: Similarity


class PythonGrader(Node):
    """What the function `grade(sample, item)` of `source` returns; it runs at the provider, never here."""

    sparse: ClassVar[bool] = True
    type: Literal["python"]
    name: str
    source: str
    image_tag: str | None = None

    @model_validator(mode="after")
    def _could_run(self) -> "PythonGrader":
        if len(self.source.encode()) >= SOURCE_BYTES:
            raise ValueError(f"source has {len(self.source.encode()):,} bytes, below {SOURCE_BYTES:,} are taken")
        try:
            tree = ast.parse(self.source)
            compile(tree, "source", "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
            raise ValueError(f"source{line}: no Python ({getattr(error, 'msg', error)})") from None
        functions = [each for each in tree.body if isinstance(each, ast.FunctionDef)]
        takes = [len(each.args.args) for each in functions if each.name == "grade"]
        if takes != [2]:
            raise ValueError("source defines no grade(sample, item)" if not takes else "grade takes sample and item")
        return self


class GraderMessage(Node):
    """A message to the model that grades: a text, or parts as the API has them."""

    sparse: ClassVar[bool] = True
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[dict[str, Any]]
    type: Literal["message"] | None = None


class GraderSampling(Node):
    """How the model that grades is sampled."""

    sparse: ClassVar[bool] = True
    max_completions_tokens: Annotated[int, Field(ge=1)] | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    seed: int | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None


class ModelGrader(Node):
    """The score that another `model` gives when told `input`, within `range`."""

    sparse: ClassVar[bool] = True
    type: Literal["score_model"]
    name: str
    model: str
    input: list[GraderMessage] = Field(min_length=1)
    range: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    sampling_params: GraderSampling | None = None

    @model_validator(mode="after")
    def _has_room(self) -> "ModelGrader":
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError(f"range: {self.range[0]:g} is not below {self.range[1]:g}")
        return self


Single = Annotated[StringCheck | TextSimilarity | PythonGrader | ModelGrader, Field(discriminator="type")]


class MultiGrader(Node):
    """Several `graders`, their scores made one by the formula `calculate_output`, which names them.

    A map, as OpenAI's guide to graders has it; its API reference names a single one (2026-11).
    """

    type: Literal["multi"]
    name: str
    graders: dict[str, Single] = Field(min_length=1)
    calculate_output: str

    @model_validator(mode="after")
    def _adds_up(self) -> "MultiGrader":
        try:
            tree = ast.parse(self.calculate_output.replace("^", "**"), mode="eval")
        except (SyntaxError, ValueError) as error:
            raise ValueError(f"calculate_output is no formula ({getattr(error, 'msg', error)})") from None
        parts = list(ast.walk(tree))
        called = [each.func for each in parts if isinstance(each, ast.Call)]
        no_number = any(isinstance(each, ast.Constant) and type(each.value) not in (int, float) for each in parts)
        known = all(isinstance(each, FORMULA) for each in parts) and all(isinstance(each, ast.Name) for each in called)
        if no_number or not known:
            has = f"numbers, graders, + - * / ^ and the functions {', '.join(FUNCTIONS)}"
            raise ValueError(f"calculate_output holds what is no arithmetic; there are {has}")
        functions = {each.id for each in called if isinstance(each, ast.Name)}
        if unknown := sorted(functions - {*FUNCTIONS}):
            raise ValueError(f"calculate_output calls {unknown[0]!r}; there are the functions {', '.join(FUNCTIONS)}")
        names = {each.id for each in parts if isinstance(each, ast.Name) and each not in called}
        if unknown := sorted(names - {*self.graders}):
            there = f"there are {', '.join(self.graders)} and the functions {', '.join(FUNCTIONS)}"
            raise ValueError(f"calculate_output names {unknown[0]!r}, which is no grader; {there}")
        if not names:
            raise ValueError("calculate_output names no grader, and every answer would be worth the same")
        return self


Grader = Annotated[StringCheck | TextSimilarity | PythonGrader | ModelGrader | MultiGrader, Field(discriminator="type")]


def templates(grader: Node, key: str) -> Iterator[tuple[str, str]]:
    """Yield every template of a grader with the key it stands under: ("method.grader.input", "item.reference")."""
    yield from _templates(grader.keyed(), key)


def blind(grader: Node, key: str) -> Iterator[str]:
    """Yield the keys of graders that read nothing of the answer, a whole one's or those of its parts."""
    if isinstance(grader, MultiGrader):
        for name, each in grader.graders.items():
            yield from blind(each, f"{key}.graders.{name}")
    elif not isinstance(grader, PythonGrader) and all(said.startswith("item.") for _, said in templates(grader, key)):
        yield key


def _templates(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield from ((key, each) for each in TEMPLATE.findall(value))
    elif isinstance(value, Mapping):
        for name, each in value.items():
            if name not in ("source", "calculate_output"):
                yield from _templates(each, f"{key}.{name}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _templates(each, f"{key}.{number}")
