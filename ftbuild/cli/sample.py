"""`ftbuild sample TRACES +experiment=NAME`: logged answers that are worth a look, in a file for a person to fill in.

What was logged is redacted in memory, before anything of it is written or sent. Then the question is which of it to
look at: the models of the experiment are asked, as they were in its test, where their answers tell. Chooses and asks;
learns nothing: what is filled in is taken over by `ftbuild accept`.
"""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftbuild.chat import Message, Tool
from ftbuild.cli import logged
from ftbuild.cli.build import composed_of, world_of
from ftbuild.cli.layout import columns, hang
from ftbuild.cli.logged import Traces
from ftbuild.cli.options import Options
from ftbuild.cli.smoke import smoke_overrides
from ftbuild.cli.walk import Walker, walking
from ftbuild.completion import Dialogue
from ftbuild.composed import Composed
from ftbuild.dataset import redact
from ftbuild.digest import of_bytes, short
from ftbuild.errors import ConfigError, DataError, ExitCode
from ftbuild.example import Example
from ftbuild.improve import review, sampling, traces
from ftbuild.improve.entries import Entry
from ftbuild.improve.proposal import FILE, Proposal
from ftbuild.improve.review import Form
from ftbuild.improve.sampling import By, Candidate, Chosen
from ftbuild.improve.traces import Pool
from ftbuild.lookup import LedgerFolder, look_up
from ftbuild.outcome import Build
from ftbuild.plan.graph import Graph
from ftbuild.points import Point, command_line, one_graph
from ftbuild.probing import arms_of, probe
from ftbuild.problem import Problem, nearest
from ftbuild.report.words import count
from ftbuild.runners.formats import dialogues, json_lines, parse_lines
from ftbuild.settings.evaluation import ScorerOptions
from ftbuild.sources import note
from ftbuild.store import durable
from ftbuild.store.place import refuse_network
from ftbuild.store.store import Store
from ftbuild.tool_files import tools_of
from ftbuild.world import World

LOGGED = "logged"  # as an arm: the answer that was given
COUNT, AT_MOST = 50, 1000
TRACES = "traces.jsonl"


@dataclass(frozen=True)
class Sampled:
    """What was chosen: the traces with their answers, how many could have been, and which arms answered."""

    chosen: Sequence[Chosen]
    n_able: int
    arms: Sequence[str] = ()


def sample(options: Options) -> int:
    """Choose traces, and write what a person fills in.

    Raises:
        ConfigError: no source, no consent to it, no model to ask, or such a proposal is there already.
        DataError: what is logged cannot be read.
        FtbuildError: as a build, where models are asked.
    """
    by: By = options.by or "disagreement"  # type: ignore[assignment]
    composed = composed_of(options).points[0]
    given = logged.given(options, composed)
    world = world_of(options)
    folder = _folder(options, composed, given, by, world)
    refuse_network(world.store)
    store = Store(world.store)
    graph, points = one_graph(composed_of(options), smoke_overrides(options), store, smoke=options.smoke)
    arms = _arms(options, by, composed, graph)
    _refuse_untrained(arms, graph, points, store, world)
    found, left_out = logged.read(given)
    with walking(points, store, world, options) as walker:
        known = logged.known(graph, points, composed, walker)
        pool = traces.pool(found, logged.rules(composed), known, composed.settings.seed, options.limit or AT_MOST)
        _tell(given, composed, len(found), left_out, pool)
        if not pool.traces:
            fix = "fetch newer ones, or look at fewer filters: keep."
            raise DataError(Problem("no trace is left to choose from", given.source.path, fix=fix))
        asking = _Asking(by, arms, given, graph, points[0], walker)
        sampled = asking.sampled(pool, store, world) if any(arm != LOGGED for arm in arms) else _drawn(pool)
    chosen = sampled.chosen[: options.count or COUNT]
    if not chosen:
        raise DataError(_nothing(by, sampled, given))
    lines = [_traced(each, by, pool, given, composed) for each in chosen]
    counts = {"read": len(found), **left_out, **pool.left_out, "left": len(pool.traces)}
    why = _why(by, sampled, len(chosen))
    form: Form = options.form or "csv"  # type: ignore[assignment]
    _write(folder, _entry(why, given, counts, pool, lines, form), composed)
    print(hang("chosen     ", why, columns()), file=sys.stderr)
    shown = os.path.relpath(folder)
    print(f"{shown}/review.{form}")
    print(f"Fill in verdict (keep, edit or drop) and answer, then:\nftbuild accept {shown}")
    return int(ExitCode.DONE)


def _tell(given: Traces, composed: Composed, n: int, left_out: Mapping[str, int], pool: Pool) -> None:
    said = [(given.name, f"{note(n, left_out)}, of {given.place.path}")]
    own = any(composed.settings.dataset.redact.keyed().values())
    by = "" if own else "; by all rules, since the experiment names none"
    said.append(("redacted", f"{redact.told(pool.redacted) or 'nothing found'}{by}"))
    counted = [f"{n:,} {reason}" for reason, n in pool.left_out.items()]
    said.append(("left", f"{len(pool.traces):,} to choose from{'; ' * bool(counted)}{', '.join(counted)}"))
    for head, text in said:
        print(hang(f"{head:9}  ", text, columns()), file=sys.stderr)


# --- the choice ----------------------------------------------------------------------------------


def _arms(options: Options, by: By, composed: Composed, graph: Graph) -> list[str]:
    """Return who is asked.

    Raises:
        ConfigError: there are no such arms, or not as many as it takes.
    """
    goal, known = composed.settings.goal, [*arms_of(graph), LOGGED]
    usual = {"random": [], "uncertainty": [goal.arm], "disagreement": [goal.arm, goal.against]}[by]
    asked = options.arms.split(",") if options.arms else usual
    n = len(usual)
    if len(set(asked)) != n or len(asked) != n:
        takes = {0: "asks nobody", 1: "asks one arm", 2: "asks two arms"}[n]
        fix = f"--arms {','.join(usual)}" if usual else "leave --arms out."
        raise ConfigError(Problem(f"--by {by} {takes}", "command line", fix=fix))
    for name in asked:
        if name not in known or (name == LOGGED and by != "disagreement"):
            close = nearest(name, known)
            fix = f"the nearest is {close!r}." if close else f"there are {', '.join(known)}."
            raise ConfigError(Problem(f"no arm {name!r} to ask", "command line", fix=fix))
    return asked


def _refuse_untrained(arms: Sequence[str], graph: Graph, points: Sequence[Point], store: Store, world: World) -> None:
    """Say nothing where every model that is to be asked is there.

    Raises:
        ConfigError: one is not trained yet.
    """
    asked = arms_of(graph)
    trained = {each.action for arm in arms if arm != LOGGED for each in asked[arm].inputs if each.role == "job"}
    if not trained:
        return
    for one in look_up(graph, store, LedgerFolder(world)):
        if one.action.id in trained and one.record is None:
            what = f"the model of {points[0].composed.experiment} is not trained yet"
            fix = f"{command_line(points[0])} first, or --by random, which asks no model."
            raise ConfigError(Problem(what, "command line", fix=fix))


def _drawn(pool: Pool) -> Sampled:
    """Return all traces, as the seed has drawn them: nobody is asked."""
    return Sampled(sampling.by_chance([Candidate(each.id) for each in pool.traces]), len(pool.traces))


@dataclass(frozen=True)
class _Asking:
    """How models are asked which traces are worth a look: `arms` of the experiment that `graph` and `point` are of,
    about traces of the source `given`.
    """

    by: By
    arms: Sequence[str]
    given: Traces
    graph: Graph
    point: Point
    walker: Walker

    @property
    def asked(self) -> list[str]:
        """Return the arms that answer anew."""
        return [arm for arm in self.arms if arm != LOGGED]

    def sampled(self, pool: Pool, store: Store, world: World) -> Sampled:
        """Return the traces worth a look, the most worth first."""
        name, source = self.given.name, self.given.source
        content = json_lines(map(traces.line, pool.traces))
        path = world.store / "traces" / f"{name}-{short(of_bytes(content))}.jsonl"
        durable.write(path, content)
        unsure = self.by == "uncertainty"
        about = (self.graph, self.point, self.asked, name, source, path, world.root, store)
        probed = probe(*about, with_likelihood=unsure)
        done = self.walker.walk(probed.graph, probed.points, None)
        if done.failed:
            raise next(iter(done.failed.values()))
        places = parse_lines(_output(done, probed.dataset, "provenance.jsonl"))
        answered = {arm: dialogues(_output(done, name, "predictions.jsonl")) for arm, name in probed.answers.items()}
        candidates = {
            each["line"]: self._candidate(
                pool.traces[each["line"] - 1], {arm: own[each["id"]][0] for arm, own in answered.items()}
            )
            for each in places
        }
        drawn = [candidates[line] for line in sorted(candidates)]
        if unsure:
            return Sampled(sampling.by_uncertainty(drawn), len(drawn), self.arms)
        options = self.point.composed.settings.evaluation.scorers.get("tool_calls") or ScorerOptions()
        return Sampled(sampling.by_disagreement(drawn, options), len(drawn), self.arms)

    def _candidate(self, trace: Example, own: Mapping[str, Dialogue]) -> Candidate:
        """Return a trace with the answers to it; `own` are those that were asked for."""
        said = {arm: trace.target if arm == LOGGED else own[arm].first for arm in self.arms}
        form = self.given.form.schema if self.given.form is not None else None
        likelihood = own[self.asked[0]].last.likelihood
        return Candidate(trace.id, said, likelihood, trace.tools or tools_of(self.point.composed), form)


def _output(done: Build, name: str, output: str) -> bytes:
    return done.store.get(done.ran[name].record.outputs[output])


def _nothing(by: By, sampled: Sampled, given: Traces) -> Problem:
    """Return why nothing was chosen, though there was something to choose from."""
    if by == "uncertainty":
        what = f"the server told no log-probabilities in {count(sampled.n_able, 'answer')}"
        why = "Not every server gives them, and none does for answers that only call tools."
        return Problem(what, given.source.path, why=why, fix="--by disagreement goes without them.")
    what = f"{' and '.join(sampled.arms)} agree on all of {count(sampled.n_able, 'trace')}"
    return Problem(what, given.source.path, fix="--by random, or other arms: --arms ONE,OTHER.")


def _why(by: By, sampled: Sampled, n: int) -> str:
    """Return how the traces were chosen, in words."""
    if by == "random":
        return f"{count(n, 'trace')} drawn at random from {sampled.n_able:,}"
    if by == "disagreement":
        names = " and ".join(sampled.arms)
        return f"{count(n, 'trace')}: {names} disagree on {len(sampled.chosen):,} of {sampled.n_able:,}, most first"
    silent = sampled.n_able - len(sampled.chosen)
    less = f"; {silent:,} answers came without log-probabilities, as those do that only call tools" if silent else ""
    return f"{count(n, 'trace')}: where {sampled.arms[0]} is the least sure, of {sampled.n_able:,}{less}"


# --- the proposal --------------------------------------------------------------------------------


def _folder(options: Options, composed: Composed, given: Traces, by: By, world: World) -> Path:
    """Return where the proposal goes.

    Raises:
        ConfigError: there is one already; somebody may have filled it in.
    """
    name = f"{composed.experiment}_{given.name}_{by}"
    folder = Path(options.to) if options.to else world.proposals / name
    if folder.exists():
        fix = f"accept it, take it away (rm -r {shlex.quote(os.path.relpath(folder))}), or --to another folder."
        raise ConfigError(Problem("is there already", os.path.relpath(folder), fix=fix))
    return folder


def _traced(chosen: Chosen, by: By, pool: Pool, given: Traces, composed: Composed) -> dict[str, Any]:
    """Return a trace as it lies beside the review."""
    trace = next(each for each in pool.traces if each.id == chosen.candidate.id)
    offered: Sequence[Tool] = trace.tools or tools_of(composed)
    answers: Mapping[str, Message] = {arm: each for arm, each in chosen.candidate.answers.items() if arm != LOGGED}
    return {
        "id": trace.id,
        "trace": f"{trace.path}:{trace.line}",
        "source": given.name,
        **traces.line(trace),
        "answers": {arm: each.to_json() for arm, each in answers.items()},
        "chosen": {"by": by, "value": round(chosen.value, 6), "why": chosen.why},
        "callable": [each.name for each in offered],
        **({"redacted": dict(trace.redacted)} if trace.redacted else {}),
    }


def _entry(
    why: str, given: Traces, counts: Mapping[str, int], pool: Pool, lines: Sequence[Mapping[str, Any]], form: Form
) -> Entry:
    source, file = given.source, f"review.{form}"
    said = {
        "file": file,
        "traces": TRACES,
        "source": given.name,
        "licence": source.licence,
        "consent": source.consent,
        "origin": source.origin,
        "counts": {**counts, **({"redacted": dict(pool.redacted)} if pool.redacted else {})},
    }
    files = {file: review.written(lines, form).decode(), TRACES: review.traced(lines).decode()}
    return Entry("review", "review", why, (), said, files)


def _write(folder: Path, entry: Entry, composed: Composed) -> None:
    """Write the proposal; what says that it is one comes last."""
    files = Proposal(composed.experiment, None, composed.overrides, [entry]).files(os.path.relpath(folder))
    for name in sorted(files, key=lambda name: name == FILE):
        durable.write(folder / name, files[name].encode())
