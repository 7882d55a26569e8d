"""`ftbuild accept PROPOSAL [ENTRY ...] [--as NAME]`: chosen entries become sources, and the next experiment uses them.

All is checked before anything stays: the data are read, nothing in them may be derived from a test example, and the
experiment composes. What was written is text for git; nothing is built.
"""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ftbuild.cli import own_conf
from ftbuild.cli.build import world_of
from ftbuild.cli.held_out import held_out
from ftbuild.cli.meaning import meant
from ftbuild.cli.options import Options
from ftbuild.cli.rebuilt import graph_of_judged
from ftbuild.compose import compose
from ftbuild.composed import Composed
from ftbuild.dataset.wall import Wall
from ftbuild.errors import ConfigError, DataError, ExitCode
from ftbuild.example import Example
from ftbuild.improve import proposal as proposals
from ftbuild.improve import review
from ftbuild.improve.accepting import Accepted, accepted, next_name
from ftbuild.improve.entries import Entry
from ftbuild.improve.proposal import Proposal
from ftbuild.lookup import LedgerFolder, look_up
from ftbuild.plan.action import DATASET
from ftbuild.problem import Problem, nearest, render
from ftbuild.rows import decoded, line
from ftbuild.settings import Source
from ftbuild.sources import read as read_source
from ftbuild.store import durable
from ftbuild.store.store import Store
from ftbuild.tool_files import tools_of
from ftbuild.world import World


def accept(options: Options) -> int:
    """Write what the chosen entries come to, and say how it is built.

    Raises:
        ConfigError: no such proposal or entry; a name that is taken; an experiment that does not compose.
        DataError: the proposal or its data cannot be read, or an example is derived from one that tests.
    """
    if not options.words or options.overrides:
        raise ConfigError(Problem("accept takes a proposal", "command line", fix=_known(world_of(options))))
    world = world_of(options)
    folder = _folder(options.words[0], options, world)
    shown = os.path.relpath(folder)
    proposal = proposals.read(_texts(folder), shown)
    chosen = _chosen(proposal, options.words[1:], shown)
    name = own_conf.named(options.name or next_name(proposal.experiment), f"ftbuild accept {shown} --as {{}}")
    composed = compose(world.root, proposal.overrides)
    _refuse_unlike(chosen, composed, shown)
    reviewed = {each.name: _reviewed(each, folder) for each in chosen if each.kind == "review"}
    walled = "meaning" if composed.settings.embedder is not None else True
    made = accepted(proposal, chosen, name, composed.tree, reviewed, walled)
    store = Store(world.store)
    outputs = _built(composed, store, world) if made.sources else {}
    learnt = _read(made, composed, outputs, store, shown)
    twins = meant(learnt, outputs, composed, store, world, options) if learnt else []
    if alike := [twin.problem(each.path, each.line) for each, twin in zip(learnt, twins, strict=True) if twin]:
        print(render(alike), file=sys.stderr)
    told = _write(made, composed, proposal, chosen, world)
    print("\n".join(f"wrote {each}" for each in told))
    print(f"Look at it: git diff, ftbuild plan +experiment={name}     Build it: ftbuild +experiment={name}")
    return int(ExitCode.DONE)


def _known(world: World) -> str:
    found = sorted(path.parent for path in (world.proposals).glob(f"*/{proposals.FILE}"))
    if not found:
        return "ftbuild improve writes one."
    return f"ftbuild accept {os.path.relpath(found[-1])}"


def _folder(word: str, options: Options, world: World) -> Path:
    """Return the folder of a proposal, by its path or the name of its run.

    Raises:
        ConfigError: there is none.
    """
    for found in (options.folder / word, world.proposals / word):
        if (found / proposals.FILE).is_file():
            return found
    raise ConfigError(Problem(f"no proposal {word!r}", "command line", fix=_known(world)))


def _texts(folder: Path) -> dict[str, str]:
    """Return the files of a folder by name.

    Raises:
        DataError: one of them is no text.
    """
    found = {}
    for path in sorted(folder.iterdir()):
        if path.is_file():
            text = decoded(path.read_bytes())
            if text is None:
                raise DataError(Problem("neither UTF-8 nor UTF-16", os.path.relpath(path), fix="save it as UTF-8."))
            found[path.name] = text
    return found


def _chosen(proposal: Proposal, names: Sequence[str], shown: str) -> list[Entry]:
    known = [each.name for each in proposal.entries]
    for name in names:
        if name not in known:
            close = nearest(name, known)
            fix = f"the nearest is {close}." if close else f"there are {', '.join(known)}."
            raise ConfigError(Problem(f"no entry {name!r} in {shown}", "command line", fix=fix))
    chosen = [each for each in proposal.entries if not names or each.name in names]
    if not chosen:
        raise ConfigError(Problem("the proposal has no entries", shown, fix="ftbuild improve proposes some."))
    return chosen


def _reviewed(entry: Entry, folder: Path) -> str:
    """Return the chat lines that a review was filled in to.

    Raises:
        DataError: with the rows that cannot be meant; or none was filled in.
    """
    path, traces = (folder / entry.said[each] for each in ("file", "traces"))
    shown = os.path.relpath(path)
    made, problems = review.lines_of(path.read_bytes(), traces.read_bytes(), shown)
    if any(each.severity == "error" for each in problems):
        raise DataError(*problems)
    if not made:
        fix = "write keep, edit or drop under verdict; with edit an answer, too."
        raise DataError(Problem("nothing in it is to be learnt from", shown, fix=fix), *problems)
    if problems:
        print(render(problems), file=sys.stderr)
    return b"".join(line(each) + b"\n" for each in made).decode()


def _read(made: Accepted, composed: Composed, outputs: Mapping[str, str], store: Store, shown: str) -> list[Example]:
    """Return the new examples to learn from, where all can be read and none is derived from one that tests.

    Raises:
        DataError: with the places.
    """
    problems: list[Problem] = []
    learnt: list[Example] = []
    wall = Wall(held_out(outputs, store) if made.sources else ())
    tools = tuple(tools_of(composed))
    for name, said in made.sources.items():
        try:
            source = Source.model_validate(said)
        except ValidationError as error:
            problems += [_unfit(name, each, shown) for each in error.errors()]
            continue
        examples, found = read_source(made.files[said["path"]].encode(), name, source)
        problems += [each for each in found if each.severity == "error"]
        learnt += [replace(each, tools=each.tools or tools) for each in examples if each.only != "test"]
    problems += [twin.problem(each.path, each.line) for each in learnt if (twin := wall.twin(each.to_json()))]
    if problems:
        raise DataError(*problems)
    return learnt


def _unfit(source: str, error: Mapping[str, Any], shown: str) -> Problem:
    """Return what is wrong with a source that an entry says."""
    at = ".".join(map(str, error["loc"]))
    what = str(error["msg"]).removeprefix("Value error, ")
    return Problem(f"{source}: {at}: {what}" if at else f"{source}: {what}", f"{shown}/{proposals.FILE}")


def _refuse_unlike(chosen: Sequence[Entry], composed: Composed, shown: str) -> None:
    """Say nothing where the source that each generator is like is one of the experiment.

    Raises:
        DataError: it is none.
    """
    known = composed.settings.dataset.sources
    for each in chosen:
        if each.kind == "generator" and each.said["like"] not in known:
            what = f"{each.name}.like: the experiment has no source {each.said['like']!r}"
            raise DataError(Problem(what, f"{shown}/{proposals.FILE}", fix=f"one of {', '.join(known)}."))


def _built(composed: Composed, store: Store, world: World) -> Mapping[str, str]:
    """Return the outputs of the dataset.

    Raises:
        ConfigError: they were not.
    """
    planned = look_up(graph_of_judged(composed, world), store, LedgerFolder(world))
    record = next(each.record for each in planned if each.action.kind is DATASET)
    if record is None:
        fix = f"ftbuild dataset {shlex.join(composed.overrides)}"
        raise ConfigError(Problem("the data are not built, so nothing is known of what tests", "", fix=fix))
    return record.outputs


def _write(made: Accepted, composed: Composed, proposal: Proposal, chosen: Sequence[Entry], world: World) -> list[str]:
    """Write all of it, the experiment last, or nothing.

    Raises:
        ConfigError: a file is there already, or the experiment does not compose.
    """
    said = ", ".join(each.name for each in chosen)
    what = composed.description.rstrip(".") or composed.experiment
    about = f"{what}; after {composed.experiment}: {said}.   ftbuild +experiment={made.name}"
    comments = [f"Accepted from datasets/proposals/{proposal.run or ''}.".replace("/.", ".")]
    experiment = world.root / "conf" / "experiment" / f"{made.name}.yaml"
    files = {world.root / path: text for path, text in made.files.items()}
    own_conf.refuse_taken(world.root, "experiment", made.name, {**files, experiment: ""})
    files[experiment] = made.experiment(about, comments)
    written: list[Path] = []
    try:
        for path, text in files.items():
            durable.write(path, text.encode())
            written.append(path)
        compose(world.root, [f"+experiment={made.name}"])
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return [f"{os.path.relpath(path)} ({text.count(chr(10))} lines)" for path, text in files.items()]
