"""`ftbuild +experiment=NAME`: build one experiment, or with -m every point of a sweep."""

import shlex
import shutil
import sys
from dataclasses import dataclass, replace

from ftbuild import runs
from ftbuild.cli.console import TerminalConsole
from ftbuild.cli.options import Options
from ftbuild.compose import SMOKE, Composed, compose, compose_sweep, find_root, to_yaml
from ftbuild.digest import of_file
from ftbuild.engine import build as run_graph
from ftbuild.engine import result_id
from ftbuild.errors import ConfigError, DataError, ExitCode, FtbuildError
from ftbuild.plan.graph import Graph
from ftbuild.plan.resolve import resolve
from ftbuild.problem import Problem, render
from ftbuild.providers.connection import Connection
from ftbuild.report.input import ReportInput
from ftbuild.report.terminal import summary
from ftbuild.report.words import ENDINGS, VERDICTS, when
from ftbuild.runners import Workshop, table
from ftbuild.scorers import versions
from ftbuild.store.store import Store
from ftbuild.world import World


def build(options: Options) -> int:
    """Build what the options ask for and return the exit code of the verdict."""
    composed = compositions(options)
    if options.cfg:
        print("\n---\n".join(to_yaml(each) for each in composed), end="")
        return int(ExitCode.DONE)
    world = world_of(options)
    if not options.multirun:
        return _build_one(composed[0], options.command, world, smoke=options.smoke).code
    return _build_all(composed, options, world)


@dataclass(frozen=True)
class _Built:
    """How a build ended: the exit code, and a line for people."""

    code: ExitCode
    said: str


def _build_all(composed: list[Composed], options: Options, world: World) -> int:
    """Build every point of a sweep, whatever becomes of the others; return the worst exit code."""
    given = _smoke(options)
    points = [tuple(override for override in each.overrides if override not in given) for each in composed]
    ended = []
    for number, (each, point) in enumerate(zip(composed, points, strict=True), 1):
        command = (*point, *(("--smoke",) if options.smoke else ()))
        print(f"\n[{number} of {len(composed)}] ftbuild {shlex.join(command)}", file=sys.stderr)
        try:
            ended.append(_build_one(each, command, world, smoke=options.smoke))
        except FtbuildError as error:
            if error.exit_code == ExitCode.INTERRUPTED:
                raise
            text = render(error.problems)
            print(text, file=sys.stderr)
            ended.append(_Built(error.exit_code, text.partition("\n")[0]))
    varied = [" ".join(word for word in point if any(word not in other for other in points)) for point in points]
    width = max(map(len, varied))
    print()
    for point_text, built in zip(varied, ended, strict=True):
        print(f"{point_text:{width}}   {built.said}")
    return int(max(built.code for built in ended))


def compositions(options: Options) -> list[Composed]:
    """Return the settings the options ask for, one or a sweep's, all composed before anything runs.

    Raises:
        ConfigError: in any of them.
    """
    if options.words:
        raise ConfigError(Problem(f"{options.words[0]!r} is not an override", "command line", fix="write key=value."))
    root = find_root(options.folder)
    overrides = [*_smoke(options), *options.overrides]
    return compose_sweep(root, overrides) if options.multirun else [compose(root, overrides)]


def _smoke(options: Options) -> list[str]:
    """Return what a smoke run sets where the command line does not."""
    given = {override.partition("=")[0].lstrip("+") for override in options.overrides}
    return [override for override in SMOKE if override.partition("=")[0] not in given] if options.smoke else []


def world_of(options: Options) -> World:
    """Return the world of the project; a smoke run has outputs of its own."""
    world = World.at(find_root(options.folder))
    if not options.smoke:
        return world
    return replace(world, outputs=world.outputs / "smoke", built=world.outputs / "smoke" / "datasets")


def graph_of(composed: Composed, *, judged: bool) -> Graph:
    """Return the graph of one composition.

    Raises:
        DataError: a source's file cannot be read.
        ConfigError: there is no source.
    """
    sources = composed.settings.dataset.sources
    if not sources:
        raise ConfigError(Problem("dataset.sources is empty", "command line", fix="take an experiment."))
    digests, problems = {}, []
    for name in sources:
        try:
            digests[name] = of_file(composed.source_path(name))
        except OSError as error:
            origin = composed.origins.of(f"dataset.sources.{name}.path")
            problems.append(
                Problem(
                    f"dataset.sources.{name}.path: {composed.source_path(name)}: "
                    f"{(error.strerror or 'cannot be read').lower()}",
                    origin.path if origin else "",
                    origin.line if origin else None,
                    fix=f"put the file there, or say where it is: dataset.sources.{name}.path=FILE.",
                )
            )
    if problems:
        raise DataError(*problems)
    scorers = versions(composed.settings.evaluation.scorers, composed.settings.style)
    return resolve(composed.settings, digests, scorers, judged=judged)


def _build_one(composed: Composed, command: tuple[str, ...], world: World, *, smoke: bool) -> _Built:
    started = world.now()
    store = Store(world.store)
    console = TerminalConsole()
    graph = graph_of(composed, judged=not smoke)
    shop = Workshop(
        settings=composed.settings,
        source_paths={name: composed.source_path(name) for name in composed.settings.dataset.sources},
        world=world,
        store=store,
        console=console,
        remote=Connection(composed.settings.provider, composed.settings.model, world, aside=console.aside),
        experiment=composed.experiment,
        command=command,
        run=runs.describe(composed, command, world),
    )
    try:
        done = run_graph(graph, store, world, console, table(shop))
        runs.check_out_dataset(world, composed, done)
        idle = all(ran.status == "HIT" for ran in done.ran.values())
        folder = runs.find(world, result_id(done)) or (runs.restore(world, composed.experiment, done) if idle else None)
        folder = folder or runs.write(world, shop.run, done)
    finally:
        console.close()
        runs.release(world, shop.run)
    runs.point_latest(world, folder)
    gathered = runs.report_input(done)
    seconds = world.now() - started
    verdict, report = _ending(gathered, world.now()), str((folder / "report.html").relative_to(world.root))
    if idle:
        print(f"Nothing to do: {len(done.ran)} cached. {verdict}. {report}     {seconds:.1f} s")
    else:
        this = {"path": str(folder.relative_to(world.root)), "command": shop.run["command"], "seconds": seconds}
        shown = replace(gathered, run={**gathered.run, **this})
        print("\n" + summary(shown, shutil.get_terminal_size((100, 24)).columns))
    code = ExitCode.DONE if gathered.results["ending"] in ("met", None) else ExitCode.GOAL
    return _Built(code, f"{verdict}   {report}")


def _ending(gathered: ReportInput, now: float) -> str:
    """Return the verdict and when it was found."""
    results = gathered.results
    return (
        f"{VERDICTS[results['verdict']].upper()}, {ENDINGS[results['ending']]}, {when(gathered.run['started_at'], now)}"
    )
