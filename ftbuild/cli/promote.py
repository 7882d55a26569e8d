"""`ftbuild promote POINT NAME`: write what a point of a sweep was built with as conf/experiment/NAME.yaml.

The file composes to what the point composed to, or it is not written. What the point has made is then found again, so
a build of it trains nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ftbuild import promoting, sweep_report
from ftbuild.cli import own_conf
from ftbuild.cli.build import world_of
from ftbuild.cli.diff import find_run
from ftbuild.cli.options import Options
from ftbuild.cli.rebuilt import graph_of_judged, refuse_unjudged, unchanged
from ftbuild.compose import compose
from ftbuild.composed import Composed
from ftbuild.defaults_lists import few
from ftbuild.errors import ConfigError, ExitCode
from ftbuild.history import Run
from ftbuild.points import shortened
from ftbuild.problem import Problem, nearest
from ftbuild.report import sweep_words, words
from ftbuild.report.sweep_input import SweepInput

BEST = "best"
USE = "ftbuild promote POINT NAME"
NO_SPACE = "sweep=none"  # what makes one point of an experiment that chooses a space


def promote(options: Options) -> int:
    """Write the experiment, and say how it is built.

    Raises:
        ConfigError: no such point, one that failed, was rehearsed or not judged; no name, or one that is taken; what
            the point was built from has changed since; or a file cannot say what was typed.
    """
    word, given = _asked(options)
    sweep = sweep_report.latest(world_of(options))
    run = _run(word, sweep, options)
    name = own_conf.named(given, f"ftbuild promote {run.run_id} {{}}")
    _refuse_unfit(run, options)
    world = world_of(options)
    target = world.root / "conf" / "experiment" / f"{name}.yaml"
    overrides = run.told["overrides"]
    own_conf.refuse_taken(world.root, "experiment", name, {target: ""})
    point = compose(world.root, overrides)
    graph = unchanged(run, point, world)
    try:
        told = own_conf.write(world.root, "experiment", name, {target: _text(run, point, name, sweep)})
        again = compose(world.root, [f"+experiment={name}"])
        is_same = _plain(again.tree) == _plain(point.tree) and set(graph_of_judged(again, world).actions) == set(
            graph.actions
        )
    except (ConfigError, KeyError):
        is_same = False
    if not is_same:
        target.unlink(missing_ok=True)
        typed = " ".join(promoting.changes(overrides))
        raise ConfigError(Problem(f"no file says what was typed: {typed}", "command line", fix=BY_HAND))
    print(f"wrote {told}")
    print(f"Build it: ftbuild +experiment={name}     Nothing is trained for it: what {run.run_id} made is used.")
    return int(ExitCode.DONE)


BY_HAND = "write the experiment by hand: the keys of these overrides below its defaults."


def _asked(options: Options) -> tuple[str, str]:
    """Return the point and the name; a point may be typed as the overrides that set it apart.

    Raises:
        ConfigError: there are not both.
    """
    if len(options.words) == 2 and not options.overrides:
        return options.words[0], options.words[1]
    if len(options.words) == 1 and options.overrides:
        return " ".join(options.overrides), options.words[0]
    raise ConfigError(Problem("promote takes a point and a name", "command line", fix=USE))


def _run(word: str, sweep: SweepInput | None, options: Options) -> Run:
    """Return the run of a point: of the best or one by its name in the newest sweep, else as `find_run` does.

    Raises:
        ConfigError: there is none, or the point has failed.
        StoreError: its run.json cannot be read.
    """
    if word == BEST:
        if sweep is None or sweep.best is None:
            what = f"no point of {sweep.name} is the best" if sweep else "no sweep was built here"
            raise ConfigError(Problem(what, "command line", fix="name a run: ftbuild runs lists them."))
        return find_run(str(sweep.points[sweep.best - 1].run_id), options)
    if sweep is not None:
        found = next((each for each in sweep.points if sorted(each.name.split()) == sorted(word.split())), None)
        if found is not None and found.run_id is None:
            failed = str(found.error).partition("\n")[0]
            what = f"point {found.name} of {sweep.name} has failed: {failed}"
            raise ConfigError(Problem(what, "command line", fix=f"build it: {found.command}"))
        if found is not None:
            return find_run(found.run_id or "", options)
    if "=" in word:
        raise _no_point(word, sweep)
    return find_run(word, options)


def _no_point(word: str, sweep: SweepInput | None) -> ConfigError:
    if sweep is None:
        return ConfigError(Problem(f"no point {word!r}: no sweep was built here", "command line", fix=USE))
    names = [each.name for each in sweep.points]
    fix = f"its points are {few(names)}."
    if close := nearest(word, names):
        fix = f"the nearest is {close}; {fix}"
    return ConfigError(Problem(f"no point {word!r} in {sweep.name}, the newest sweep", "command line", fix=fix))


def _refuse_unfit(run: Run, options: Options) -> None:
    """Say nothing of a run that was built and judged for real, and differs from its experiment.

    Raises:
        ConfigError: it is another.
    """
    refuse_unjudged(run, options, "nothing is known of what it would come to")
    if not promoting.changes(run.told["overrides"]):
        what = f"{run.run_id} is +experiment={run.told['experiment']} as it is: there is nothing to write"
        raise ConfigError(Problem(what, "command line", fix="name a run with overrides: ftbuild runs lists them."))


def _plain(node: Any) -> Any:
    """Return a config without what is null: an entry that was taken out is the same as none."""
    if isinstance(node, Mapping):
        return {name: _plain(each) for name, each in node.items() if each is not None}
    return node


def _text(run: Run, point: Composed, name: str, sweep: SweepInput | None) -> str:
    changed = promoting.changes(point.overrides)  # NO_SPACE among them, where the experiment chooses a space
    own = next((each for each in sweep.points if each.run_id == run.run_id), None) if sweep is not None else None
    said = own.name if own is not None else " ".join(map(shortened, changed))
    others = len(changed) - len(said.split()) - (NO_SPACE in changed) if own is not None else 0
    said += f" and {words.count(others, 'other setting')}" if others > 0 else ""
    about = f"{point.description.rstrip('.') or point.experiment}, with {said}.   ftbuild +experiment={name}"
    return promoting.text(point.overrides, point.tree, about, list(_origin(run)))


def _origin(run: Run) -> Sequence[str]:
    """Return where a point comes from, and what it came to."""
    sweep = run.told.get("sweep") or {}
    of = f", a point of sweep {sweep['name']}" if "name" in sweep else ""
    said = [f"Promoted from run {run.run_id} of {words.date(run.told['started_at'])}{of}."]
    report = run.report()
    came_to = [words.came_to(report["results"])] if report else []
    came_to += [words.among_looks(sweep)] if "looks" in sweep else []
    said += [f"{words.first_large('; '.join(came_to))}."] if came_to else []
    if sweep.get("confirmed"):
        said += sweep_words.again(sweep["confirmed"], sweep["asked_before"])
    return said
