"""`ftbuild +experiment=NAME`: build one experiment, or with -m every point of a sweep, as one graph."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftbuild import lockfile, planfile, runs, sweep_report, tracking
from ftbuild.cache import cache_folder
from ftbuild.cli import gate_text, sweep_text
from ftbuild.cli.chosen import driver_of
from ftbuild.cli.driven import Left
from ftbuild.cli.layout import columns, hang
from ftbuild.cli.options import Options, parse
from ftbuild.cli.points_table import Row, table
from ftbuild.cli.smoke import smoke_overrides
from ftbuild.cli.verbs import VERBS
from ftbuild.cli.walk import Walker, asked_by, names_of, walking
from ftbuild.compositions import Compositions, compositions
from ftbuild.errors import ConfigError, EvaluationError, ExitCode, FtbuildError, PlanError, worst
from ftbuild.history import Run
from ftbuild.lookup import LedgerFolder, look_up
from ftbuild.outcome import Build, result_id
from ftbuild.plan.graph import Graph
from ftbuild.points import Point, command_line, one_graph, owners, part_of
from ftbuild.problem import Problem, render
from ftbuild.report.words import ended, when
from ftbuild.store.place import refuse_network
from ftbuild.store.store import DamagedError, Store
from ftbuild.sweep import Sweep, sweep_of
from ftbuild.trees import find_root
from ftbuild.world import World

if TYPE_CHECKING:
    from ftbuild.site import Site


def build(options: Options) -> int:
    """Build what the options ask for and return the exit code of the verdict, in a sweep that of what went worst."""
    if options.plan is not None:
        options = _as_planned(options, options.plan)
    composed = composed_of(options)
    if options.cfg:
        from ftbuild.compose import to_yaml

        print("\n---\n".join(to_yaml(each) for each in composed.points), end="")
        return int(ExitCode.DONE)
    world = world_of(options)
    refuse_network(world.store)
    started = world.now()
    store = Store(world.store)
    graph, points = one_graph(composed, smoke_overrides(options), store, smoke=options.smoke)
    options = of_points(options, points)
    tracking.refuse_unready(points, world.environment)
    if options.locked:
        for point in points:
            _refuse_unlocked(point, graph, world)
    driver = driver_of(composed, graph, points, store, world, options)
    options = replace(options, multirun=options.multirun or driver is not None)
    if options.plan is not None:
        begins = driver_of(composed, graph, points, store, world, options)  # one of its own: it is told what was done
        begun = begins.upcoming()[0] if begins else graph
        planned, follows = look_up(begun, store, LedgerFolder(world)), begins.follows(begun) if begins else None
        planfile.refuse_drift(Path(options.plan), planfile.read(Path(options.plan)), planned, follows)
    with walking(() if driver else points, store, world, options) as walker:
        left = driver.run(walker) if driver else None
        graph, points = (left.graph, left.points) if left else (graph, points)
        endings, sweep = _built(graph, points, store, world, options, walker, left)
    page = _page(points, endings, sweep, world, options) if options.multirun else None
    if options.format in gate_text.FORMS or options.multirun:
        _tell_sweep(points, endings, sweep, left, page and page.relative_to(world.root), options)
    else:
        [ending] = endings
        _tell(ending, points[0], world.now() - started)
    _track(points, endings, world, options)
    if sweep.error is not None:
        raise sweep.error
    return int(worst(each.code for each in endings))


def _ended(points: Sequence[Point], endings: "Sequence[_Ending]") -> list[gate_text.Ended]:
    """Return how the points ended, for CI."""
    return [
        gate_text.Ended(" ".join([point.composed.experiment, point.name]).strip(), each.said, each.results)
        for point, each in zip(points, endings, strict=True)
    ]


def _tell_sweep(
    points: Sequence[Point],
    endings: "Sequence[_Ending]",
    sweep: Sweep,
    left: Left | None,
    page: Path | None,
    options: Options,
) -> None:
    """Print the end of a sweep, or of a build for CI."""
    cut, stopped = (left.cut, left.stopped) if left else ((), ())
    if options.format in gate_text.FORMS:
        print(gate_text.FORMS[options.format](_ended(points, endings)))
        if page is not None and options.format == "md":
            print("".join(f"\n- {name}: {said}" for name, said in cut) + f"\n\nThe sweep: {page}")
        return
    rows = [
        Row(point.name, each.said, each.results, is_best=point is sweep.best)
        for point, each in zip(points, endings, strict=True)
    ]
    print(table([*rows, *(Row(name, said, None) for name, said in cut)], columns()))
    for each in stopped:
        print(hang("", each, columns()))
    if said := sweep_text.text(sweep, columns()):
        print(said)
    if page is not None:
        print(f"\nThe sweep: {page}")


def _page(
    points: Sequence[Point], endings: "Sequence[_Ending]", sweep: Sweep, world: World, options: Options
) -> Path | None:
    """Write the report of a sweep and return it, None where too little of it was built."""
    ends = [
        sweep_report.End(point, each.done, each.said, each.run, each.results)
        for point, each in zip(points, endings, strict=True)
    ]
    return sweep_report.write(world, ends, sweep, f"ftbuild -m {shlex.join(options.command)}")


def _track(points: Sequence[Point], endings: "Sequence[_Ending]", world: World, options: Options) -> None:
    """Send the runs where they are wanted, and say what came of it."""
    finished = [
        tracking.Finished(point, ending.done, ending.run)
        for point, ending in zip(points, endings, strict=True)
        if ending.run is not None and tracking.wanted(point)
    ]
    sys.stdout.flush()
    for line in tracking.track(finished, world, asked_by(options)):
        print(line, file=sys.stderr)


def _as_planned(options: Options, path: str) -> Options:
    """Return the options of a kept plan.

    Raises:
        ConfigError: the command line says more than the plan does, or the file holds no plan.
    """
    if options.overrides or options.multirun or options.smoke:
        raise ConfigError(
            Problem("a kept plan says what to build", "command line", fix=f"ftbuild build --plan {shlex.quote(path)}")
        )
    kept = planfile.read(Path(path))
    again = parse("build", [*kept["command"], *(["-m"] if kept["multirun"] else [])])
    allowed = replace(again, yes=options.yes, max_cost=options.max_cost, keep_going=options.keep_going)
    return replace(allowed, plan=path, folder=options.folder, jobs=options.jobs, ray=options.ray)


def composed_of(options: Options) -> Compositions:
    """Return the settings the options ask for, one or a sweep's, all composed before anything runs.

    Raises:
        ConfigError: in any of them.
    """
    world = World.at(find_root(options.folder))
    found = compositions(
        world.root,
        options.overrides,
        given=smoke_overrides(options),
        multirun=options.multirun if "--multirun" in VERBS[options.verb].options else None,
        environment=world.environment,
        now=world.now(),
        cache=cache_folder(world.environment),
    )
    if found.notes:
        print(render(found.notes), file=sys.stderr)
    return found


def of_points(options: Options, points: Sequence[Point]) -> Options:
    """Return the options with -m where there are several points, as a space asks for."""
    return replace(options, multirun=options.multirun or len(points) > 1)


def world_of(options: Options) -> World:
    """Return the world of the project; a smoke run has outputs of its own."""
    world = World.at(find_root(options.folder))
    if not options.smoke:
        return world
    return replace(world, outputs=world.outputs / "smoke", built=world.outputs / "smoke" / "datasets")


@dataclass(frozen=True)
class _Ending:
    """How a point ended: the exit code, a line for people, the part of the build that is its own, its run."""

    code: ExitCode
    said: str
    done: Build
    idle: bool = False
    run: Run | None = None

    @cached_property
    def results(self) -> Mapping[str, Any] | None:
        """Return what its comparison came to, None where it was not built to its end."""
        return runs.results(self.done) if self.run is not None else None


def _built(
    graph: Graph,
    points: Sequence[Point],
    store: Store,
    world: World,
    options: Options,
    walker: Walker,
    chosen: Left | None,
) -> tuple[list[_Ending], Sweep]:
    """Build the graph and write what each point leaves behind: its dataset, its run, `latest`."""
    told = chosen.told if chosen else {}
    if (done := walker.found(graph)) is not None:
        try:
            sweep = replace(sweep_of(graph, points, done), chosen=told)
            if sweep.asked is None:
                return _ends(sweep, points, done, None, world)
            if (more := walker.found(sweep.asked.graph)) is not None:
                return _ends(sweep.confirmed_by(more), points, _both(done, more), None, world)
        except DamagedError as error:
            store.set_aside(error.digest)
    done = walker.walk(graph, points, names_of(points, options), chosen.known if chosen else ())
    both, sweep = confirmed(replace(sweep_of(graph, points, done), chosen=told), done, walker)
    return _ends(sweep, points, both, walker.site, world)


def confirmed(sweep: Sweep, done: Build, walker: Walker) -> tuple[Build, Sweep]:
    """Ask the winner on the confirm split, where there is one; what keeps it from being asked is told in the end."""
    asked = sweep.asked
    if asked is None:
        return done, sweep
    walker.site.go_on(asked.winner.point, asked.point, done)
    names = dict.fromkeys(asked.graph.actions, asked.point.name)
    try:
        more = walker.walk(asked.graph, [asked.point], names, known=done.ran)
    except FtbuildError as error:
        return done, replace(sweep, error=error)
    if more.failed:
        return done, replace(sweep, error=next(iter(more.failed.values())))
    both = _both(done, more)
    return both, sweep.confirmed_by(both)


def _both(done: Build, more: Build) -> Build:
    """Return what happened in two walks; what the second found done is as the first did it."""
    return Build(done.store, {**more.ran, **done.ran}, done.failed)


def _ends(
    sweep: Sweep, points: Sequence[Point], done: Build, site: "Site | None", world: World
) -> tuple[list[_Ending], Sweep]:
    """Return how the points ended, each by itself and all together."""
    name = sweep_report.name_of(points, sweep.chosen)
    points = sweep.with_winner(points)
    has_page = sum(all(each in done.ran for each in point.ids) for point in points) >= sweep_report.at_least(sweep)
    own, known = owners(points), runs.by_result(world)
    ends = []
    for point in points:
        told = {**({"name": name} if has_page else {}), **(sweep.told_of(point) or {})}
        ends.append(_finished(point, part_of(done, point, own), told or None, site, world, known))
    return ends, sweep


def _finished(
    point: Point,
    done: Build,
    sweep: Mapping[str, Any] | None,
    site: "Site | None",
    world: World,
    known: Mapping[tuple[str, str], Run],
) -> _Ending:
    """Return how a point ended, its dataset and run written; `sweep` is what it is among other points.

    Raises:
        FtbuildError: the only point could not be built to its end.
    """
    if len(done.ran) < len(point.ids):
        return _failed(point, done)
    runs.check_out_dataset(world, point.composed, done)
    idle = all(ran.status == "HIT" for ran in done.ran.values())
    run = known.get((point.composed.experiment, result_id(done)))
    if run is None and idle:
        run = runs.restore(world, point.composed.experiment, done)
    if run is None:
        described = (
            site.run_of(point)
            if site
            else runs.describe(point.composed, point.command, world, world.now(), runs.git_state(world.root))
        )
        run = runs.write(world, described, done)
    run = runs.tell(run, sweep)
    runs.point_latest(world, run.folder)
    if (lock := lockfile.place(world.root, point)) is not None:
        lockfile.write(lock, done, run.told)
    told = run.told
    report = str((run.folder / "report.html").relative_to(world.root))
    verdict = f"{ended(told, str.upper)}, {when(told['started_at'], world.now())}"
    is_missed = told["ending"] not in ("met", None) and not told.get("rehearsed")  # what is made up misses nothing
    code = ExitCode.GOAL if is_missed else ExitCode.DONE
    return _Ending(code, f"{verdict}. {report}" if not point.name else f"{verdict}   {report}", done, idle, run)


def _refuse_unlocked(point: Point, graph: Graph, world: World) -> None:
    path = lockfile.place(world.root, point)
    if path is None:
        raise PlanError(
            Problem(
                f"{command_line(point)} has no lock file",
                "command line",
                why="One is kept for an experiment of the project's own conf/, built without overrides.",
                fix="leave --locked out.",
            )
        )
    lockfile.refuse_change(
        str(path.relative_to(world.root)), lockfile.read(path), [graph.actions[name] for name in point.ids]
    )


def _failed(point: Point, done: Build) -> _Ending:
    """Return how a point of a sweep ended that could not be built to its end."""
    error = next(iter(done.failed.values()), None)
    if isinstance(error, EvaluationError):
        error = point.composed.placed(error)
    if error is not None and not point.name:
        raise error
    said = render(error.problems).partition("\n")[0] if error else "not built: what it shares with others has failed"
    return _Ending(error.exit_code if error else ExitCode.FAILED, said, done)


def _tell(ending: _Ending, point: Point, seconds: float) -> None:
    """Print the end of a build of one point."""
    if ending.idle:
        print(hang("", f"Nothing to do: {len(ending.done.ran)} cached. {ending.said}     {seconds:.1f} s", columns()))
        return
    from ftbuild.report.terminal import summary

    assert ending.run is not None
    gathered = runs.report_input(ending.done)
    this = {"path": ending.run.told["path"], "command": command_line(point), "seconds": seconds}
    shown = replace(gathered, run={**gathered.run, **this})
    print("\n" + summary(shown, columns()))
