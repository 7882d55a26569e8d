"""Logged answers as the command line names them: their source, with consent, read in memory and written nowhere."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ftbuild import source_files
from ftbuild.answer_forms import forms_of
from ftbuild.chat import ResponseFormat
from ftbuild.cli.build import composed_of, world_of
from ftbuild.cli.held_out import held_out
from ftbuild.cli.options import Options
from ftbuild.cli.walk import Walker
from ftbuild.composed import Composed
from ftbuild.dataset import redact
from ftbuild.dataset.build import Recipe
from ftbuild.dataset.wall import Wall
from ftbuild.errors import ConfigError, DataError
from ftbuild.example import Example, splits_in
from ftbuild.improve.traces import Known
from ftbuild.plan.graph import Graph
from ftbuild.points import Point
from ftbuild.problem import Problem, nearest, render
from ftbuild.runners.formats import parse_lines
from ftbuild.settings import Source
from ftbuild.source_files import Place
from ftbuild.sources import read_files
from ftbuild.sources.structured import formed
from ftbuild.tool_files import tools_of
from ftbuild.trees import group_options

USE = "ftbuild sample SOURCE +experiment=NAME"
NONE_TO_JUDGE = ("documents", "generator", "functions", "bfcl", "dpo_jsonl")  # kinds without an answer that was given


@dataclass(frozen=True)
class Traces:
    """Where traces come from: the source, its name, its files, and the form of its answers where they have one."""

    name: str
    source: Source
    place: Place
    form: ResponseFormat | None = None


def given(options: Options, composed: Composed) -> Traces:
    """Return the source that the command line names.

    Raises:
        ConfigError: it names none, one that is learnt from already, or one without consent.
    """
    if len(options.words) != 1:
        raise ConfigError(Problem("sample takes a source of traces", "command line", fix=USE))
    [name] = options.words
    known = group_options(world_of(options).root, "source")
    if name not in known:
        close = nearest(name, known)
        fix = f"the nearest is {close!r}." if close else f"write conf/source/{name}.yaml; ftbuild init helps."
        raise ConfigError(Problem(f"no source {name!r}", "command line", fix=fix))
    if composed.settings.dataset.sources.get(name) is not None:
        fix = "name one that the experiment does not learn from."
        raise ConfigError(Problem(f"{name} is a source of {composed.experiment} already", "command line", fix=fix))
    asked = (*options.overrides, f"+source@dataset.sources.{name}={name}")
    other = composed_of(replace(options, overrides=asked)).points[0]
    source = other.settings.dataset.sources[name]
    origin = other.origins.of(f"dataset.sources.{name}.path")
    at = origin.path if origin else "command line"
    if source.kind in NONE_TO_JUDGE:
        what = f"a source of the kind {source.kind} holds no answers that were given"
        raise ConfigError(Problem(what, at, fix="name logged ones: langfuse, langsmith, stored_completions, ..."))
    if source.consent is None:
        why = "What people said is learnt from only where they agreed, and it is written down who did and when."
        fix = "write a line like this:  consent: Customers, by section 4 of the terms of 2026-03-01"
        raise ConfigError(Problem(f"dataset.sources.{name}: no consent is recorded", at, why=why, fix=fix))
    return Traces(name, source, other.source_place(name), forms_of(other).get(name))


def read(given: Traces) -> tuple[list[Example], Mapping[str, int]]:
    """Return what was logged, and how much of it was left out and why; nothing of it is written.

    Raises:
        DataError: the files cannot be read, or hold lines that are none of their kind.
    """
    source = given.source
    try:
        files = source_files.contents(given.place.given(), source.path)
    except OSError as error:
        raise DataError(Problem(f"cannot be read: {(error.strerror or 'no file').lower()}", source.path)) from error
    read = read_files(files, given.name, source)
    examples, problems = read.examples, read.problems
    if given.form is not None:
        examples, problems = formed(examples, problems, source, given.form)
    if any(each.severity == "error" for each in problems):
        raise DataError(*problems)
    if problems:
        print(render(problems), file=sys.stderr)
    return list(examples), read.left_out


def rules(composed: Composed) -> list[str]:
    """Return the rules that redact: those of the experiment, all where it has none."""
    asked = [name for name, on in composed.settings.dataset.redact.keyed().items() if on]
    return asked or list(redact.RULES)


def known(graph: Graph, points: Sequence[Point], composed: Composed, walker: Walker) -> Known:
    """Return what the dataset of the experiment asks; it is built where it is not there."""
    data = graph.up_to("dataset")
    done = walker.found(data) or walker.walk(data, points, None)
    if done.failed:
        raise next(iter(done.failed.values()))
    ran = next(each for each in done.ran.values() if each.action.kind.name == "dataset")
    outputs = ran.record.outputs
    splits = {split: parse_lines(done.store.get(outputs[f"{split}.jsonl"])) for split in splits_in(outputs)}
    recipe = Recipe(composed.settings.style, composed.settings.dataset.split, tuple(tools_of(composed)))
    return Known(splits, recipe, Wall(held_out(outputs, done.store)))
