"""Where an experiment stands in the five steps (goal, data, train, test, improve), and the one command that comes next.

Read off what lies there: runs, proposals, the files of experiments, the bytes of sources. Nothing is composed, so that
it is told at once; what a setting has changed since, only a plan knows.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from ftbuild.composed import FOLDERS
from ftbuild.errors import StoreError
from ftbuild.history import Run
from ftbuild.source_files import Place
from ftbuild.store.store import Store
from ftbuild.trees import shipped_conf
from ftbuild.world import World
from ftbuild.yaml_marks import nodes


@dataclass(frozen=True)
class Standing:
    """The step that comes next, the command for it, and why where the run does not say it."""

    name: str
    step: str
    command: str
    why: str = ""


def standings(world: World, last: Mapping[str, Run], own: Iterable[str]) -> list[Standing]:
    """Return where each experiment stands that has been run, `last` being what counts, or is the project's `own`.

    One that another has come after, which was built, stands where that one does.
    """
    later, proposed = _later(world), _proposed(world)
    found = []
    for name in sorted({*last, *own}):
        run, following = last.get(name), later.get(name, [])
        if any(each in last for each in following):
            continue
        if run is None:
            is_data_there = (world.built / name).is_dir()
            found.append(Standing(name, "train" if is_data_there else "data", f"ftbuild +experiment={name}"))
        elif (said := _said(run, world)) is not None:
            found.append(Standing(name, "data" if "data" in said else "train", f"ftbuild +experiment={name}", said))
        elif following:
            found += [Standing(name, "improve", f"ftbuild +experiment={each}") for each in following]
        else:
            found.append(_next(name, run, proposed))
    return found


def _next(name: str, run: Run, proposed: Mapping[str, list[str]]) -> Standing:
    if run.told["ending"] == "met":
        model = run.told.get("fine_tuned_model")
        return Standing(name, "done", f"ftbuild chat {run.run_id}" if model else f"ftbuild runs --experiment {name}")
    if folders := proposed.get(name):
        return Standing(name, "improve", f"ftbuild accept {folders[-1]}")
    return Standing(name, "improve", f"ftbuild improve {run.run_id}")


def _said(run: Run, world: World) -> str | None:
    """Return why an experiment is to be built anew, None where nothing speaks for it."""
    if run.told.get("rehearsed"):
        return "only rehearsed"
    return "data changed since" if _has_new_data(run, world) else None


def _has_new_data(run: Run, world: World) -> bool:
    """Return whether a source's bytes are others than the run was made from; False where that cannot be told."""
    store = Store(world.store)
    for each in run.told["actions"]:
        if each["kind"] == "ingest":
            with suppress(StoreError, OSError, KeyError):
                told = store.manifest(each["key"])["preimage"]["settings"]
                if _bytes(told["source"], world, store) not in (told["bytes"], None):
                    return True
    return False


def _bytes(source: Mapping[str, str], world: World, store: Store) -> str | None:
    for base in (world.root, shipped_conf().parent):
        with suppress(OSError):
            return Place(base, source["path"], folder=source["kind"] in FOLDERS).digest(store.digest_of)
    return None


def _later(world: World) -> dict[str, list[str]]:
    """Return the experiments of the project that come after each, by name."""
    found: dict[str, list[str]] = {}
    for path in sorted((world.root / "conf" / "experiment").glob("*.yaml")):
        if (said := _said_in(path, "round", "after")) is not None:
            found.setdefault(said, []).append(path.stem)
    return found


def _proposed(world: World) -> dict[str, list[str]]:
    """Return the folders of proposals for each experiment, by name."""
    found: dict[str, list[str]] = {}
    for path in sorted((world.proposals).glob("*/proposal.yaml")):
        if (said := _said_in(path, "experiment")) is not None:
            found.setdefault(said, []).append(path.parent.relative_to(world.root).as_posix())
    return found


def _said_in(path: Path, *keys: str) -> str | None:
    """Return the text that a YAML file has below keys, None where it has none or cannot be read."""
    try:
        node = nodes(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, OSError, UnicodeDecodeError):
        return None
    for key in keys:
        inside = node.value if isinstance(node, yaml.MappingNode) else ()
        node = next((value for name, value in inside if name.value == key), None)
    return str(node.value) if isinstance(node, yaml.ScalarNode) else None
