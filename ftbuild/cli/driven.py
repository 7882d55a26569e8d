"""A sweep of which most points are given up early: what each is worth on the validation split, and who goes on.

One driver: it asks who is next, composes and walks them as one graph, and tells what came of it, until only those are
left that are built in full. Every point on the way is an ordinary one, so whatever was done before is found. The test
split is looked at by nobody on the way.
"""

import json
import math
import sys
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ftbuild.cli.choosing import Chooser, Outcome, Trial
from ftbuild.cli.options import Options
from ftbuild.cli.walk import Walker
from ftbuild.composed import Composed, Swept
from ftbuild.compositions import Compositions
from ftbuild.cutting import cut
from ftbuild.errors import ConfigError, CostError, ProviderError, StoreError
from ftbuild.estimates import estimates
from ftbuild.ledger.budget import NO_LIMIT, Reservations, work_of
from ftbuild.lookup import LedgerFolder, look_up
from ftbuild.outcome import Build, Ran, found
from ftbuild.plan.action import CHECKPOINT, RENDER
from ftbuild.plan.estimate import NOTHING, Estimate, total
from ftbuild.plan.graph import Graph
from ftbuild.plan.splits import at_checkpoint, job_of, validating, without_jobs
from ftbuild.planfile import Follows
from ftbuild.points import Point, apart, budget, has_more_to_say, one_graph
from ftbuild.problem import Problem, render
from ftbuild.store.store import DamagedError, Store
from ftbuild.world import World

SPLIT = "dataset.split"
NOT_SENT = "Nothing was sent."


@dataclass(frozen=True)
class Left:
    """The points that are left to be built in full, as one graph.

    `known` are the actions that were done on the way, `cut` who was given up by name, and where; `stopped` lines about
    how it went, `told` is for run.json.
    """

    graph: Graph
    points: list[Point]
    known: Mapping[str, Ran]
    cut: Sequence[tuple[str, str]]
    stopped: Sequence[str]
    told: Mapping[str, Any]


class Driver:
    """Asks, composes, walks and tells; `given` are overrides that the command line does not say, `digest` is that of
    the rule and of all that it is about.
    """

    def __init__(
        self, chooser: Chooser, digest: str, given: Sequence[str], store: Store, world: World, options: Options
    ) -> None:
        self._chooser, self._digest, self._given = chooser, digest, given
        self._store, self._world, self._options = store, world, options

    def probe(self) -> None:
        """Refuse values that no point can have, or by which points cannot be told from each other, before any is tried.

        Raises:
            ConfigError: with the place of one.
        """
        if self._chooser.ask():
            refuse_unlike(self._composed(self._chooser.probes()))

    def upcoming(self) -> tuple[Graph, list[Point]]:
        """Return what a build would begin with, what is done already being told; the finalists where all of it is.

        Raises:
            ConfigError: the points cannot be told from each other.
            EvaluationError: nobody is left.
        """
        while trials := self._chooser.ask():
            graph, points = self._validated(trials)
            if (done := self._found(without_jobs(graph), points)) is None:
                return graph, points
            self._chooser.tell([_outcome(*each, done) for each in zip(trials, points, strict=True)])
        return self._points(self._chooser.finalists())

    def follows(self, begun: Graph, *, is_paid: bool = False) -> Follows | None:
        """Return what may follow what a build would begin with, None where all that is left is built in full."""
        if not (said := self._chooser.to_come()):
            return None
        return Follows(said, self._most_to_come(begun.actions) if is_paid else NOTHING, self._digest)

    def _most_to_come(self, counted: Container[str]) -> Estimate:
        """Return what those who may follow cost at most: in each round the dearest of them; what is `counted`, by id,
        costs nothing more.
        """
        found: list[Estimate] = []
        later = self._chooser.later()
        for number, (trials, n) in enumerate(later, 1):
            graph, points = self._points(trials) if number == len(later) else self._validated(trials)
            costs = self._costs(graph, points)
            each = [total(costs[name] for name in point.ids if name not in counted) for point in points]
            found += sorted(each, key=lambda one: math.inf if one.cost_usd is None else one.cost_usd)[-n:]
        return total(found)

    def run(self, walker: Walker) -> Left:
        """Try who is to be tried, and return who is left.

        Raises:
            FtbuildError: as `Walker.walk`; or nobody is left.
        """
        known: dict[str, Ran] = {}
        self._build_data(walker)
        is_first = True
        while trials := self._chooser.ask():
            graph, points = self._validated(trials)
            walked = without_jobs(graph)
            done = before = self._found(walked, points)
            if done is None:
                names = apart(points) or dict.fromkeys(graph.actions, points[0].name)
                look = partial(self._look, graph, points, is_first=is_first)
                is_first = False
                try:
                    done = walker.walk(walked, points, names, known, look, agreed=graph)
                except CostError as error:
                    if not self._chooser.ends_at(error):
                        raise
                    break
            refuse_outage(done)
            known |= done.ran
            said = self._chooser.tell([_outcome(*each, done) for each in zip(trials, points, strict=True)])
            self._chooser.keep()
            if before is None:
                print(said, file=sys.stderr)
            self._give_up(trials, points, walked, done)
        graph, points = self._points(self._chooser.finalists())
        return Left(graph, points, known, self._chooser.cut(), self._chooser.stopped(), self._chooser.to_json())

    def _build_data(self, walker: Walker) -> None:
        """Build what those read who may follow, where money is limited and it is not what the first read: else nobody
        knows what they cost before the first are paid.
        """
        if not (later := self._chooser.later()):
            return
        first, asked = self._validated(self._chooser.ask())
        if self._options.max_cost is None and budget(asked) == NO_LIMIT:
            return
        data, points = Graph(), []
        for trials, _ in later:
            graph, found = self._points(trials)
            data.merge(graph.up_to(RENDER.name))
            points += [replace(each, before=None) for each in found]
        if data.actions.keys() <= first.actions.keys():
            return
        points = [replace(each, ids=tuple(name for name in each.ids if name in data.actions)) for each in points]
        if any(map(has_more_to_say, points)) and self._found(data, ()) is None:
            walker.walk(data, points, apart(points))

    def _give_up(self, trials: Sequence[Trial], points: Sequence[Point], graph: Graph, done: Build) -> None:
        """Cancel the jobs of those who go no further; one that somebody else goes on with is left alone."""
        keys: dict[bool, dict[str, tuple[Point, int]]] = {False: {}, True: {}}
        for trial, point in zip(trials, points, strict=True):
            if trial.epoch is None:
                continue
            own = (graph.actions[name] for name in point.ids if name in graph.actions)
            [asked] = (each for each in own if each.kind is CHECKPOINT)
            if all(each.action in done.ran for each in asked.inputs):
                key = job_of(asked).key(done.digests(asked))
                keys[self._chooser.is_over(trial)][key] = (point, trial.epoch)
        for key, (point, epoch) in keys[True].items():
            if key not in keys[False] and (said := cut(point, key, epoch, self._world)):
                print(f"[{point.name}] {said}", file=sys.stderr)

    def _found(self, graph: Graph, points: Sequence[Point]) -> Build | None:
        """Return what was done before, None where something is missing, or scores are not whole."""
        if (done := found(look_up(graph, self._store, LedgerFolder(self._world)), self._store)) is None:
            return None
        try:
            for point in points:
                _scores(point, done)
        except DamagedError:
            return None
        return done

    def _costs(self, graph: Graph, points: Sequence[Point]) -> Mapping[str, Estimate]:
        return estimates(look_up(graph, self._store, LedgerFolder(self._world)), points, self._store)

    def _look(self, graph: Graph, points: Sequence[Point], done: Build, *, is_first: bool) -> None:
        """Refuse points that cannot be told from each other, and a sweep that may come to cost more than is left.

        Raises:
            ConfigError: nothing has been paid.
        """
        _refuse_unvalidated(points, graph, done)
        allowed, limit = self._options.max_cost, budget(points)
        if not is_first or (allowed is None and limit == NO_LIMIT) or not any(map(has_more_to_say, points)):
            return
        costs = self._costs(graph, points)
        most = total([*costs.values(), self._most_to_come(graph.actions)])
        if most.cost_usd is None:
            return
        said = f"{most.dollars()} at most with what may follow"
        fix = "fewer points or rungs, or provider.rehearsed=true."
        if allowed is not None and most.cost_usd > allowed:
            what = f"{said}: more than --max-cost {allowed:g}"
            raise CostError(Problem(what, "command line", why=NOT_SENT, fix=f"a higher --max-cost, {fix}"))
        asked = {name for name, each in costs.items() if each != NOTHING}
        standing = Reservations(LedgerFolder(self._world).folder).standing()
        others = sum(usd for name, usd in standing.items() if work_of(name) not in asked)
        if others + most.cost_usd > limit:
            spent = f", ${others:,.2f} are spent or reserved already" if others else ""
            what = f"{said}{spent}, and the budget is ${limit:,.2f}"
            raise CostError(Problem(what, "budget.usd", why=NOT_SENT, fix=f"a higher budget.usd, {fix}"))

    def _validated(self, trials: Sequence[Trial]) -> tuple[Graph, list[Point]]:
        """Return the trials as points that are asked on the validation split alone, and the graph of all."""
        whole, points = self._points(trials)
        refuse_unlike([point.composed for point in points])
        graph, found = Graph(), []
        for point, each in zip(points, trials, strict=True):
            asked = validating(whole, point.ids)
            if each.epoch is not None:
                asked = at_checkpoint(asked, each.epoch)
                own = replace(point, ids=tuple(asked.actions))
                done = self._found(without_jobs(asked), [own])
                asked = asked if done is None else without_jobs(asked)  # its job has served its turn
            ids = graph.merge(asked)
            found.append(replace(point, ids=tuple(ids), before=None))
        return graph, found

    def _points(self, trials: Sequence[Trial]) -> tuple[Graph, list[Point]]:
        swept = Swept(self._composed(trials))
        graph, points = one_graph(Compositions(None, swept), self._given, self._store, smoke=self._options.smoke)
        return graph, [replace(point, name=each.name) for point, each in zip(points, trials, strict=True)]

    def _composed(self, trials: Sequence[Trial]) -> Sequence[Composed]:
        from ftbuild.compose import Outside, compose_each

        return compose_each(self._world.root, [each.asked for each in trials], Outside(self._world.environment))


def refuse_unlike(composed: Sequence[Composed]) -> None:
    """Refuse points that cannot be told from each other by what they are worth on the validation split.

    Raises:
        ConfigError: with what they differ in, or that there is no such split.
    """
    first = composed[0]
    for key in ("goal.metric", SPLIT):
        names = key.split(".")
        if len({json.dumps(_in(each.tree, names), sort_keys=True) for each in composed}) > 1:
            said = f"the points differ in {key}, so none of them is known to be better"
            raise ConfigError(
                _problem(first, key, said, "the same for all of them, or a sweep that gives none up early.")
            )
    if not any(_in(first.tree, [*SPLIT.split("."), each]) for each in ("validation", "validation_from", "test_from")):
        raise ConfigError(_unvalidated(first))


def refuse_short(points: Sequence[Point], epoch: int) -> None:
    """Refuse points that have no job, or one that ends with an epoch after which it is to stand still.

    Raises:
        ConfigError: with the first of them.
    """
    for point in points:
        method = point.composed.tree["method"]
        if method["type"] == "none":
            said = "nothing is trained, so there is no checkpoint to ask"
            raise ConfigError(_problem(point.composed, "method", said, "a method, or a sweep without checkpoints."))
        n_epochs = method["hyperparameters"]["n_epochs"]
        if isinstance(n_epochs, int) and n_epochs <= epoch:
            key, said = "method.hyperparameters.n_epochs", f"a job with {n_epochs} has ended by epoch {epoch}"
            fix = f"{key}={epoch + 1} or more, or earlier epochs in sweep.halving.rungs.checkpoints."
            raise ConfigError(_problem(point.composed, key, said, fix))


def _refuse_unvalidated(points: Sequence[Point], graph: Graph, done: Build) -> None:
    """Refuse points whose validation split came out empty, before anything is paid."""
    for point in points:
        lines = next(name for name in point.ids if graph.actions[name].kind is RENDER)
        if lines in done.ran:
            counts = json.loads(done.store.get(done.ran[lines].record.outputs["manifest.json"]))["counts"]
            if not counts["validation"]:
                raise ConfigError(_unvalidated(point.composed))


def refuse_outage(done: Build) -> None:
    """Refuse to call points worse that failed for no reason of their own: the same command tries them again.

    Raises:
        FtbuildError: the provider could not be reached or has no room, or the store could not be written.
    """
    for error in done.failed.values():
        is_theirs = isinstance(error, ProviderError) and error.status not in (400, 404, 422)
        if is_theirs or isinstance(error, StoreError):
            raise error


def _unvalidated(composed: Composed) -> Problem:
    return _problem(
        composed,
        f"{SPLIT}.validation",
        "there is no validation example, and who goes on is chosen on them",
        f"{SPLIT}.validation=0.1, more data, or a sweep that gives no point up early.",
    )


def _problem(composed: Composed, key: str, said: str, fix: str) -> Problem:
    origin = composed.origins.of(key)
    place = (origin.in_tree, origin.line) if origin else ("command line", None)
    return Problem(f"{key}: {said}", *place, why="Nothing was trained.", fix=fix)


def _in(tree: Mapping[str, Any], names: Sequence[str]) -> Any:
    found: Any = tree
    for name in names:
        found = found.get(name)
    return found


def _outcome(trial: Trial, point: Point, done: Build) -> Outcome:
    from ftbuild.evaluate.scoring import evaluation
    from ftbuild.runners.formats import parse_lines

    if (content := _scores(point, done)) is not None:
        return Outcome(trial, evaluation(parse_lines(content), point.composed.tree["goal"]["metric"]))
    error = next((done.failed[name] for name in point.ids if name in done.failed), None)
    said = render(error.problems).partition("\n")[0] if error else "what it shares with others has failed"
    return Outcome(trial, None, said)


def _scores(point: Point, done: Build) -> bytes | None:
    """Return the scores that a point was validated for, None where it failed.

    Raises:
        DamagedError: they are not whole.
    """
    ran = done.ran.get(point.ids[-1])
    return done.store.get(ran.record.outputs["scores.jsonl"]) if ran is not None else None
