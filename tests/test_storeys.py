"""The plan of the house, enforced: who imports whom, how long files and functions are, what they are called.

Read from the syntax trees, so late imports and imports under TYPE_CHECKING count too.
"""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "ftbuild"

# Rooms from the top of the house down. A room imports from the storeys above its own, and from its
# own storey only what SIDEWAYS allows.
STOREYS = (
    ("errors", "problem", "digest", "digits", "rehearsal"),
    ("stream", "slots", "remembered", "criteria", "chat", "completion", "example", "rows", "times", "tokens"),
    ("world", "cache", "packed", "source_files"),
    ("settings", "halving"),
    ("sources", "imports", "retrieval", "tools", "style", "dataset", "render", "rules", "scorers", "stats"),
    ("plan", "store", "ledger"),
    ("threads", "voice", "workers"),
    ("partitions",),
    ("cluster",),
    ("providers", "trackers", "embedded", "evaluate", "report"),
    # The shell, from its own top down.
    ("origins", "outside", "trees", "search"),
    ("yaml_marks", "composed", "merging", "editor_schemas", "profiles", "promoting"),
    ("improve",),
    ("config_files", "defaults_lists", "lookup", "tool_files", "tool_results", "answer_forms", "judging"),
    ("rounds",),
    ("resolving",),
    ("config_problems", "outcome", "history", "planfile", "compiling"),
    ("spaces",),
    ("compose", "engine"),
    ("compositions", "runners"),
    ("described",),
    ("points", "runs", "run_diff", "descent"),
    ("probing", "cutting"),
    ("lockfile", "estimates", "foresight", "tracking", "sweep"),
    ("gates", "elsewhere", "cutting", "durations"),
    ("site", "paying", "sweep_report"),
    ("cli",),
)
SIDEWAYS = {
    "errors": {"problem"},
    "chat": {"remembered"},
    "completion": {"chat"},
    "example": {"chat", "criteria", "remembered", "rows"},
    "tokens": {"rows"},
    "dataset": {"retrieval", "style", "tools"},
    "sources": {"rules", "tools"},
    "imports": {"sources", "tools"},
    "rules": {"render", "tools"},
    "scorers": {"style", "tools"},
    "ledger": {"store"},
    "embedded": {"trackers", "report"},  # as a provider it writes runs of its own; its page looks as the report does
}
DOORS = {"", "__main__"}  # the package itself and `python -m ftbuild`

# Who may import what is heavy, foreign or replaceable.
ONLY_IN = {
    "hydra": ("compose", "merging"),
    "omegaconf": ("compose", "merging"),
    "openai": ("providers.wire",),
    "httpx2": ("providers.wire",),
    "jsonschema": ("tools",),
    "jsonschema_rs": ("tools",),
    "orjson": ("digest", "rows", "example", "runners"),
    "toktok": ("tokens",),
    "wandb": ("trackers.wandb_writer",),
    "torch": ("embedded",),
    "tokenizers": ("embedded",),
    "safetensors": ("embedded",),
    "gguf": ("embedded",),
    "llguidance": ("embedded",),
    "starlette": ("embedded",),
    "uvicorn": ("embedded",),
    "duckdb": ("sources.tables",),
    "pyarrow": ("sources.huggingface",),
    "backports": ("packed",),
    "ray": ("cluster.connection",),
    "rapidfuzz": ("scorers.rouge_l",),
    "py3langid": ("scorers.constraints",),
    "transformers": (),
    "peft": (),
    "optuna": ("search",),
}

LINES_AT_MOST = 500
FUNCTION_LINES_AT_MOST = 60
LONG_ON_PURPOSE: dict[str, str] = {}  # "module" or "module:function" -> why it may be longer
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "handler"}


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def module(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module(path) for path in files()}


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Yield every imported name in full with its line; a name taken from a package stays attached to it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def ours(name: str) -> str | None:
    """Return the module of ftbuild that an imported name comes from; None for a foreign one."""
    if name != "ftbuild" and not name.startswith("ftbuild."):
        return None
    inner = name.removeprefix("ftbuild").removeprefix(".")
    while inner not in MODULES:
        inner = inner.rpartition(".")[0]
    return inner


def room(name: str) -> str:
    return name.partition(".")[0]


def storey(name: str) -> int:
    return next(number for number, rooms in enumerate(STOREYS) if name in rooms)


def test_every_room_has_a_storey() -> None:
    known = {each for rooms in STOREYS for each in rooms}
    assert {room(name) for name in MODULES} - DOORS <= known


def crossings() -> Iterator[tuple[str, str, str]]:
    """Yield every import from one room of ours into another: the importer, the imported, and both in words."""
    for path in files():
        here = module(path)
        for name, line in imported(path):
            there = ours(name)
            if there and room(there) != room(here):
                yield here, there, f"{here}:{line} imports {there}"


def test_a_module_imports_only_from_above() -> None:
    wrong = [
        said
        for here, there, said in crossings()
        if here not in DOORS and room(there) not in SIDEWAYS.get(room(here), set())
        if storey(room(there)) >= storey(room(here))
    ]
    assert wrong == []


def test_nobody_imports_the_server_and_only_the_door_imports_the_shell() -> None:
    wrong = [said for here, there, said in crossings() if room(there) == "embedded"]
    wrong += [said for here, there, said in crossings() if room(there) == "cli" and here not in DOORS]
    assert wrong == []


def test_heavy_and_foreign_packages_stay_in_their_rooms() -> None:
    wrong = [
        f"{module(path)}:{line} imports {name}"
        for path in files()
        for name, line in imported(path)
        if (allowed := ONLY_IN.get(room(name))) is not None
        if not any(f"{module(path)}.".startswith(f"{each}.") for each in allowed)
    ]
    assert wrong == []


def test_modules_import_in_no_cycle() -> None:
    graph = {
        module(path): {there for name, _ in imported(path) if (there := ours(name)) not in (None, module(path))}
        for path in files()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"cycle: {' -> '.join(error.args[1])}")


def test_files_and_functions_are_short() -> None:
    long = [module(path) for path in files() if len(path.read_bytes().splitlines()) > LINES_AT_MOST]
    long += [
        f"{module(path)}:{node.name}"
        for path in files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_AT_MOST
    ]
    assert set(long) == set(LONG_ON_PURPOSE)


def test_no_module_has_an_empty_name() -> None:
    assert {name for name in MODULES if set(name.split(".")) & EMPTY_NAMES} == set()
