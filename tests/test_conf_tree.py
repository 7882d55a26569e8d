"""The conf tree: every file says what it is, composes and becomes a plan; every key is read and classed."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from config_fixture import CONF

from ftbuild.compose import Composed, compose_sweep
from ftbuild.dataset.redact import RULES
from ftbuild.resolving import graph_of
from ftbuild.settings import Node, Settings
from ftbuild.settings.graders import (
    GraderMessage,
    GraderSampling,
    ModelGrader,
    MultiGrader,
    PythonGrader,
    StringCheck,
    TextSimilarity,
)
from ftbuild.settings.training import OF_METHOD
from ftbuild.store.store import Store
from ftbuild.trees import experiments, find_root

ROOT = CONF.parent
FILES = sorted(path.relative_to(CONF).as_posix() for path in CONF.rglob("*.yaml") if path.parent.name != "local")
EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
OPTIONS = [name for name in FILES if "/" in name and not name.startswith("experiment/")]
KINDS = {"ingest", "dataset", "render", "job", "predict", "score", "compare", "report"}
ON_WISH = {"judge", "embed", "index", "wall"}  # kinds of actions that some experiments have


def kinds(found: Composed) -> set[str]:
    return {action.kind.name for action in graph_of(found, Store(Path("nowhere")), judged=True)} - ON_WISH


@cache
def composed(*overrides: str) -> Composed:
    """Return the point that the overrides ask for, of a space the first."""
    return compose_sweep(ROOT, overrides, multirun=False).points[0]


def used(by: Composed) -> set[str]:
    """Return the files of our tree that set something."""
    return {origin.path.removeprefix("conf/") for _, origin in by.origins.items()}


def command_in(name: str) -> str:
    """Return the command in the first comment of a file."""
    lines = [line for line in (CONF / name).read_text(encoding="utf-8").splitlines() if "@package" not in line]
    found = re.fullmatch(r"# (\S.*\S) {3}ftbuild (?:(?:plan|show|dataset) )?(\S.*)", lines[0])
    assert found, f"{name}: the first comment is not `# what it is   ftbuild COMMAND`: {lines[0]!r}"
    return found.group(2)


def words_in(name: str) -> list[str]:
    """Return the overrides of that command."""
    words = [word for word in command_in(name).split() if not word.startswith("-")]
    return [*(["model=tiny"] if "--smoke" in command_in(name) else []), *words]


OF_ONE_POINT = ("sweep/none.yaml", "sweep/search.yaml")  # nothing of them is left in the one point that is composed


@pytest.mark.parametrize("name", FILES)
def test_the_first_comment_says_what_a_file_is_and_a_command_that_uses_it(name: str) -> None:
    words = words_in(name)
    assert name in used(composed(*words)) or name in OF_ONE_POINT


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("experiment/")])
def test_an_experiment_begins_with_its_package_line(name: str) -> None:
    assert (CONF / name).read_text(encoding="utf-8").splitlines()[0] == "# @package _global_"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_composes_and_becomes_a_plan(name: str) -> None:
    found = composed(f"+experiment={name}")
    assert kinds(found) == KINDS
    assert found.description != ""


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_composes_and_becomes_a_plan(name: str) -> None:
    group, option = name.removesuffix(".yaml").split("/")
    if any(name in used(composed(f"+experiment={each}")) for each in EXPERIMENTS):
        return  # as part of that experiment
    extra = [f"+source@dataset.sources.extra={option}"] if group == "source" else []
    found = composed(*words_in(name), *extra)
    assert name in used(found) or name in OF_ONE_POINT
    assert kinds(found) == KINDS - ({"job"} if name == "method/none.yaml" else set())


def test_the_list_of_experiments_is_that_of_the_folder() -> None:
    assert list(experiments(ROOT)) == EXPERIMENTS
    assert find_root(CONF / "experiment") == ROOT


def test_one_sweep_over_all_experiments_composes() -> None:
    assert [
        each.experiment for each in compose_sweep(ROOT, [f"+experiment={','.join(EXPERIMENTS)}", "seed=1,2"]).points
    ] == [name for name in EXPERIMENTS for _ in range(2)]


def models_in(annotation: object) -> Iterator[type[Node]]:
    """Yield the models that a field of this type holds, in a map or an alternative too."""
    if isinstance(annotation, type) and issubclass(annotation, Node):
        yield annotation
    for each in getattr(annotation, "__args__", ()):
        yield from models_in(each)


def models(node: type[Node], seen: frozenset[type[Node]] = frozenset()) -> Iterator[type[Node]]:
    """Yield a settings model and every model below it; one may hold itself."""
    yield node
    for field in node.model_fields.values():
        for each in models_in(field.annotation):
            if each not in seen:
                yield from models(each, seen | {node, each})


MODELS = list(dict.fromkeys(models(Settings)))
KEYS = sorted(f"{model.__name__}.{name}" for model in MODELS for name in model.model_fields)


def test_what_is_unkeyed_is_listed_here_and_all_else_changes_results() -> None:
    """The one list of keys that change no result; a key that is added there is added here, on purpose."""
    assert sorted(f"{model.__name__}.{name}" for model in MODELS for name in model.unkeyed) == [
        "Evaluation.concurrency",
        "Evaluation.requests_per_minute",
        "Judge.licence",
        "Judge.origin",
        "Model.languages",
        "Model.licence",
        "Model.title",
        "Provider.api_key_env",
        "Provider.at_once",
        "Provider.base_deployment",
        "Provider.bills_trained",
        "Provider.deployment",
        "Provider.deploys",
        "Provider.ends",
        "Provider.faults",
        "Provider.free",
        "Provider.horizon_days",
        "Provider.idle_seconds",
        "Provider.is_openai",
        "Provider.limits",
        "Provider.methods",
        "Provider.models",
        "Provider.name",
        "Provider.needed_days",
        "Provider.parallel_tool_calls",
        "Provider.poll_seconds",
        "Provider.prices",
        "Provider.response_format",
        "Provider.rules",
        "Provider.settle_seconds",
        "Provider.statuses",
        "Provider.suffix",
        "Provider.threads",
        "Provider.tools",
        "Provider.variables",
        "Round.run",
        "Settings.budget",
        "Settings.sweep",
        "Settings.teacher",
        "Settings.tracker",
        "Source.origin",
    ]
    assert [model.__name__ for model in MODELS if not model.unkeyed <= set(model.model_fields)] == []


GRADERS = (StringCheck, TextSimilarity, PythonGrader, ModelGrader, MultiGrader, GraderMessage, GraderSampling)
FAULTS = [
    f"{model.__name__}.{name}"
    for model in MODELS
    for name in model.model_fields
    if model.__module__ == "ftbuild.settings.faults"
]

# Keys that no code outside ftbuild/settings names: their node is handed on whole, or there is nothing to choose yet.
UNNAMED = {
    **dict.fromkeys(FAULTS, "model_dump() in providers/embedded.py; embedded/faults.py reads them"),
    "Budget.usd": "the tree's is read in paying.py",
    "Settings.sweep": "the space is read by itself in spaces.py, before the settings of its points",
    "Settings.budget": "the tree's is read in paying.py",
    "Hyperparameters.batch_size": "keyed() in runners/wording.py; the server reads it off the wire",
    "Hyperparameters.beta": "keyed() in runners/wording.py",
    **{f"Hyperparameters.{name}": "keyed() in runners/wording.py" for name in OF_METHOD},
    **{f"{each.__name__}.{name}": "keyed() in runners/wording.py" for each in GRADERS for name in each.model_fields},
    "Hyperparameters.learning_rate_multiplier": "keyed() in runners/wording.py; the server reads it off the wire",
    "Judge.labelled": "the tree's is read in judging.py",
    "Judge.licence": "printed by --cfg job and in the report's list of settings",
    "Judge.model": "of_judge in settings/__init__.py",
    "Judge.origin": "printed by --cfg job and in the report's list of settings",
    "Judge.provider": "of_judge in settings/__init__.py",
    "Model.folder": "model_dump_json() in providers/embedded.py; embedded/weights.py reads it",
    "Model.licence": "printed by --cfg job and in the report's list of settings",
    "Model.package": "model_dump_json() in providers/embedded.py; embedded/weights.py reads it",
    "Model.random": "model_dump_json() in providers/embedded.py; embedded/weights.py reads it",
    "Package.file": "as Model.package",
    "Package.file_sha256": "as Model.package",
    "Package.name": "as Model.package",
    "Package.sha256": "as Model.package",
    "Package.version": "as Model.package",
    "Request.logprobs": "keyed() in runners/answers.py, sent as it is",
    "Request.top_logprobs": "keyed() in runners/answers.py, sent as it is",
    "Provider.response_format": "by its name, in lacking() of plan/gates.py",
    "Provider.tools": "by its name, in lacking() of plan/gates.py",
    "RandomWeights.heads": "as Model.random",
    "RandomWeights.hidden_size": "as Model.random",
    "RandomWeights.layers": "as Model.random",
    "RandomWeights.seed": "as Model.random",
    **{f"Redact.{name}": "keyed() in plan/resolve.py; dataset/redact.py has the rule of that name" for name in RULES},
    "Request.temperature": "keyed() in runners/answers.py, sent with every request",
    "Shares.test_from": "test_seconds, in dataset/times.py",
    "Shares.validation_from": "validation_seconds, in dataset/times.py",
    "Dataset.parallel_calls": "calls_one_by_one in settings/__init__.py",
    "Provider.parallel_tool_calls": "calls_one_by_one in settings/__init__.py",
    "Tracker.kind": "at_provider and here, in settings/tracker.py; the tree's is read in tracking.py",
    "Tracker.side": "at_provider and here, in settings/tracker.py",
}


class Told(ast.NodeTransformer):
    """Make every key a deprecated property of its model, so that mypy tells wherever it is read."""

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        for place, field in enumerate(node.body):
            if isinstance(field, ast.AnnAssign) and f"{node.name}.{ast.unparse(field.target)}" in KEYS:
                name, kind = ast.unparse(field.target), ast.unparse(field.annotation)
                told = f"@property\n@deprecated('{node.name}.{name}')\ndef {name}(self) -> {kind}: ..."
                [node.body[place]] = ast.parse(told).body
        return node


@pytest.mark.slow
def test_every_key_is_read_outside_the_settings(tmp_path: Path) -> None:
    """Deprecate the fields of the models in a copy and let mypy say who uses which: those are the readers.

    A search for names would be fooled (`path`, `kind` and `name` are attributes of many things), and a
    recording build reads neither the weights' package nor a provider that is not there; mypy knows
    the type at every place. That a key enters a digest through `keyed()` is no reading of it: a node
    that is handed on whole stands in UNNAMED, with the place that takes it. Behind a `return` mypy overlooks
    the key that two calls in a row begin with: such a one is read into a variable first.
    """
    shutil.copytree(ROOT / "ftbuild", tmp_path / "ftbuild", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (tmp_path / "ftbuild" / "settings").glob("*.py"):
        told = ast.unparse(Told().visit(ast.parse(path.read_text(encoding="utf-8"))))
        path.write_text(f"from typing_extensions import deprecated\n{told}", encoding="utf-8")
    (tmp_path / "pydantic.pyi").write_text(PYDANTIC, encoding="utf-8")
    options = "--config-file= --ignore-missing-imports --no-site-packages --check-untyped-defs -p ftbuild"
    options += " --enable-error-code=deprecated"
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options.split()], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    told = re.findall(r"(?m)^(\S+?):\d+: error: .* is deprecated: (\w+\.\w+) ", done.stdout)
    read = {key for path, key in told if not path.startswith("ftbuild/settings/")}
    assert (set(KEYS) - read) ^ set(UNNAMED) == set()


PYDANTIC = """
from collections.abc import Callable
from typing import Any
class BaseModel:
    model_fields: dict[str, Any]
    def __init__(self, **values: Any) -> None: ...
    def model_dump(self, **options: Any) -> dict[str, Any]: ...
    @classmethod
    def model_validate(cls, value: Any) -> Any: ...
class ConfigDict:
    def __init__(self, **values: Any) -> None: ...
class ValidationError(ValueError):
    def errors(self) -> list[Any]: ...
def BeforeValidator(function: Any) -> Any: ...
def Field(*args: Any, **values: Any) -> Any: ...
def model_validator(*args: Any, **values: Any) -> Callable[..., Any]: ...
"""
