"""`ftbuild export RUN DIR`: the model of a run as a folder that plain transformers load; with --adapter for PEFT."""

from dataclasses import replace
from pathlib import Path

from ftbuild.cli.build import world_of
from ftbuild.cli.diff import find_run
from ftbuild.cli.options import Options
from ftbuild.errors import ConfigError, ExitCode
from ftbuild.history import Run
from ftbuild.problem import Problem
from ftbuild.providers import embedded
from ftbuild.world import World


def export(options: Options) -> int:
    """Write the model that a run has trained into a folder that is not there yet.

    Raises:
        ConfigError: there are not two words, no such run, or it has no model of ours; or the folder is there.
        StoreError: the folder cannot be written.
    """
    if len(options.words) != 2 or options.overrides:
        raise ConfigError(Problem("export takes a run and a folder", "command line", fix="ftbuild export latest DIR"))
    if not options.words[1]:
        raise ConfigError(
            Problem("the folder has no name", "command line", fix=f"ftbuild export {options.words[0]} DIR")
        )
    run, into = find_run(options.words[0], options), options.folder / options.words[1]
    name = run.told.get("fine_tuned_model")
    if run.told.get("rehearsed"):
        why = "It is a rehearsal: its job and its answers are made up, and there are no weights."
        fix = "build it with a provider that trains, provider=embedded is ours."
        raise ConfigError(Problem(f"{run.run_id} has no model to export", "command line", why=why, fix=fix))
    if not name:
        raise ConfigError(Problem(f"{run.run_id} has no fine-tuned model", "command line", fix="ftbuild runs."))
    if into.exists():
        raise ConfigError(Problem("it is there already", options.words[1], fix="name a folder that is not there."))
    world = world_of(replace(options, smoke=is_smoke(run, options)))
    state = world.store / "embedded"
    if not (state / "jobs").is_dir():
        why = "Only what our own server has trained lies on this disk."
        raise ConfigError(Problem(f"the weights of {name} are not here", "command line", why=why))
    embedded.export(state, str(name), into.absolute(), world, adapter=options.adapter)
    print(options.words[1])
    return int(ExitCode.DONE)


def is_smoke(run: Run, options: Options) -> bool:
    """Return whether a run is one of --smoke, whose store is apart."""
    smoke: World = world_of(replace(options, smoke=True))
    return Path(smoke.outputs).resolve() in run.folder.resolve().parents
