"""Between the free part of a build and the paid one: everything is looked at, and somebody says yes.

The data is built by then, so what a job trains on is counted. What is agreed to is reserved in the ledger before the
first request. Nothing is asked where nothing is paid.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from ftbuild import elsewhere, gates
from ftbuild.errors import ConfigError, CostError, DataError, ProviderError, StoreError
from ftbuild.estimates import TO_COME, Bill, bill, estimates
from ftbuild.ledger.budget import NO_LIMIT, Reservations, name_of
from ftbuild.lookup import LedgerFolder, Planned, look_up
from ftbuild.outcome import Build
from ftbuild.plan.action import EMBED, JOB
from ftbuild.plan.estimate import NOTHING, Estimate
from ftbuild.plan.graph import Graph
from ftbuild.points import Point, budget, owners
from ftbuild.problem import Problem
from ftbuild.providers.connection import Connection
from ftbuild.runners.job import asked_by, others_told
from ftbuild.store.store import Store
from ftbuild.world import World

LINE_BYTES = 1024
YES = ("y", "yes")


@dataclass(frozen=True)
class Consent:
    """What the command line allows: `yes` to whatever it costs, `max_cost` US dollars at most."""

    yes: bool = False
    max_cost: float | None = None


@dataclass(frozen=True)
class Foreseen:
    """What a plan says of money: the plan with the jobs that are at their provider already, the cost of each action by
    id, the bill, and what speaks against building it.
    """

    planned: Sequence[Planned]
    costs: Mapping[str, Estimate]
    bill: Bill
    problems: Sequence[Problem]


def foresee(planned: Sequence[Planned], points: Sequence[Point], store: Store, world: World) -> Foreseen:
    """Return what a build would be told before it pays.

    Where the key is set, the provider is asked for jobs that are there already, and for the end of the model.
    """
    costs = estimates(planned, points, store)
    lacking = gates.lacking(points, planned, world)
    silent: list[Problem] = []
    told: list[Problem] = []
    if not lacking:
        try:
            there = elsewhere.jobs(planned, points, costs, LedgerFolder(world), hurried=True)
            planned = elsewhere.as_told(planned, there)
            costs = estimates(planned, points, store)
            told = gates.shutdowns(points, planned, world, shutdown_date(world))
        except ProviderError as error:
            silent = [replace(error.problems[0], severity="warning")]
    problems = [*gates.problems(points, planned, world), *gates.of_lines(points, planned, store, world)]
    without = [replace(each, what=f"{each.what}: a build would be refused", severity="warning") for each in lacking]
    return Foreseen(planned, costs, bill(planned, points, costs), [*problems, *told, *silent, *without])


def shutdown_date(world: World) -> Callable[[Point], str | None]:
    """Return how to ask the provider of a point when its base model goes."""

    def ask(point: Point) -> str | None:
        settings = point.composed.settings
        remote = Connection(settings.provider, None, world)
        try:
            return remote.shutdown_date(settings.model.id)
        finally:
            remote.hang_up()

    return ask


class Gate:
    """The gate of one build; `say` tells people something that stays, `retried` is a job to be launched once more.

    Once passed, `costs` are what is paid now, by action, and `spent` those with what was reserved before for the jobs
    that are attached to.
    """

    def __init__(
        self,
        graph: Graph,
        points: Sequence[Point],
        store: Store,
        world: World,
        consent: Consent,
        say: Callable[[str], None],
        retried: str | None = None,
    ) -> None:
        self._graph, self._points, self._store, self._world = graph, points, store, world
        self._consent, self._say = consent, say
        self._ledger = LedgerFolder(world, retried)
        self._reserved: dict[str, str] = {}
        self.costs: Mapping[str, Estimate] = {}
        self.spent: Mapping[str, Estimate] = {}

    def look(self) -> None:
        """Refuse what no data could mend, before anything runs.

        Raises:
            ConfigError: the provider cannot do what is asked, has ended it, or lacks its key.
        """
        planned = self._planned()
        found = gates.problems(self._points, planned, self._world)
        self._tell(found)
        refuse([*found, *gates.lacking(self._points, planned, self._world)])

    def pass_(self, done: Build) -> None:
        """Let a build go on to what is paid: its data is built, nothing has been sent.

        What lies below an action of `done` that has failed is not asked for, so it is not paid for. Neither is a job
        that is at the provider already: it is taken over before anybody is asked. Answers that were agreed to before,
        at no lower price, are not asked about again: somebody comes back to their job. Vectors that data is made of
        are let through alone, for what follows from them is not known yet.

        Raises:
            ConfigError: it costs too much, or nobody agreed to it, or the base model is gone.
            DataError: the provider would refuse the files.
            ProviderError: it cannot be reached, or refuses the key.
        """
        before = {name: each for name, each in self.costs.items() if each != NOTHING}
        planned = self._to_come(done)
        if first := [one for one in planned if one.action.kind is EMBED and one.status in TO_COME]:
            planned = first  # the rest is asked about when its data is there
            self.costs = estimates(planned, self._points, self._store)
        else:
            if problems := gates.of_lines(self._points, planned, self._store, self._world):
                raise DataError(*problems)
            self.costs = estimates(planned, self._points, self._store)
            if self._taken_over(planned):
                planned = self._to_come(done)
                self.costs = estimates(planned, self._points, self._store)
        found = bill(planned, self._points, self.costs)
        limit, names = budget(self._points), self._names(planned)
        if found.is_paid:
            refuse_dear(found, self._consent.max_cost)
            self._refuse_beyond(limit, found, names)
        asks = found.is_paid and not self._agreed(found, names)
        if asks:
            refuse_unasked(found, self._consent)
        told = gates.shutdowns(self._points, planned, self._world, shutdown_date(self._world))
        self._tell(told)
        refuse(told)
        if asks:
            confirm(found, self._consent)
        if found.is_paid:
            self._reserve(names, limit, found)
        standing = Reservations(self._ledger.folder).standing()
        attached = [one.action.id for one in planned if one.status == "ATTACH" and names[one.action.id] in standing]
        self.spent = {
            **self.costs,
            **before,
            **{each: Estimate(None, standing[names[each]] or None, estimated=True) for each in attached},
        }

    def settle(self) -> None:
        """Give back what was reserved for jobs that were never asked for, and for the answers of their models.

        What another ftbuild is at stays: it stands under the same name.
        """
        if not self._reserved:
            return
        with suppress(StoreError):  # what stays reserved is on the safe side, and another error may be on its way
            planned = {one.action.id: one for one in self._planned()}
            gone = {
                action_id
                for action_id in self._reserved.values()
                if planned[action_id].action.kind is JOB and not self._is_intended(planned[action_id])
            }
            left = [
                name
                for name, action_id in self._reserved.items()
                if action_id in gone or gone & {each.action for each in planned[action_id].action.inputs}
            ]
            if left:
                Reservations(self._ledger.folder).release(left, self._world.now())

    def _planned(self) -> list[Planned]:
        return look_up(self._graph, self._store, self._ledger)

    def _to_come(self, done: Build) -> list[Planned]:
        """Return the plan; what lies below an action that has failed is blocked."""
        below, found = set(done.failed), []
        for one in self._planned():  # inputs come first
            if one.action.id in below or below & {each.action for each in one.action.inputs}:
                below.add(one.action.id)
                found.append(replace(one, status="BLOCKED"))
            else:
                found.append(one)
        return found

    def _taken_over(self, planned: Sequence[Planned]) -> bool:
        """Take over the jobs that are at their provider already, and return whether there are any."""
        there, own = elsewhere.jobs(planned, self._points, self.costs, self._ledger), owners(self._points)
        for one in planned:
            if one.action.id not in there:
                continue
            composed, command = own[one.action.id].composed, own[one.action.id].command
            asked = asked_by(composed.settings.provider, composed.experiment, command, one.action.id)
            usd = self.costs[one.action.id].cost_usd
            taken = elsewhere.take(self._ledger, str(one.key), one.action.id, usd, there[one.action.id], asked)
            for line in others_told(taken) if taken is not None else ():
                self._say(line)
        return bool(there)

    def _agreed(self, found: Bill, names: Mapping[str, str]) -> bool:
        """Return whether all that is paid are answers that stand reserved already, at no lower price."""
        standing = Reservations(self._ledger.folder).standing()
        paid = {names[action_id]: each.cost_usd or 0 for action_id, each in self.costs.items() if each.cost_usd != 0}
        return found.n_jobs == 0 and all(standing.get(name, -1) >= usd for name, usd in paid.items())

    def _tell(self, found: Sequence[Problem]) -> None:
        for each in found:
            if each.severity == "warning":
                self._say(str(each))

    def _names(self, planned: Sequence[Planned]) -> dict[str, str]:
        """Return under which names what is paid is reserved, by action id: a job that is retried is paid again."""
        found = {}
        for one in planned:
            attempt = self._ledger.state(one.key).attempt if one.action.kind is JOB and one.key else 1
            found[one.action.id] = name_of(one.action.id, attempt)
        return found

    def _reserve(self, names: Mapping[str, str], limit: float, found: Bill) -> None:
        """Reserve what is paid; what has no known price stands with 0, for it was agreed to."""
        costs = {name: self.costs[action_id].cost_usd for action_id, name in names.items()}
        asked = {name: usd or 0.0 for name, usd in costs.items() if usd != 0}
        refused = Reservations(self._ledger.folder).reserve(asked, limit, self._world.now())
        if refused is not None:
            raise _beyond(found, limit, refused.reserved)
        self._reserved |= {name: action_id for action_id, name in names.items() if name in asked}

    def _refuse_beyond(self, limit: float, found: Bill, names: Mapping[str, str]) -> None:
        """Refuse what does not fit the budget before anybody is asked; what counts is said when it is reserved."""
        if limit == NO_LIMIT:
            return
        if found.total.cost_usd is None:
            what = f"{found}, and the budget is ${limit:,.2f}"
            fix = "say the price in the provider's profile, or do without a budget: budget.usd=null"
            raise ConfigError(Problem(what, "budget.usd", why="Nothing was sent.", fix=fix))
        standing = Reservations(self._ledger.folder).standing()
        asked = {names[action_id] for action_id, each in self.costs.items() if each.cost_usd != 0}
        others = sum(usd for name, usd in standing.items() if name not in asked)
        if others + found.total.cost_usd > limit:
            raise _beyond(found, limit, others)

    def _is_intended(self, one: Planned) -> bool:
        if one.key is None:
            return False
        state = self._ledger.state(one.key)
        return one.status in ("HIT", "WAIT") or state.job_id is not None or state.intent_at is not None


def refuse(problems: Sequence[Problem]) -> None:
    """Say nothing where none of the problems is an error.

    Raises:
        ConfigError: with those that are.
    """
    if errors := [each for each in problems if each.severity == "error"]:
        raise ConfigError(*errors)


def refuse_dear(found: Bill, max_cost: float | None) -> None:
    """Say nothing where the bill is within --max-cost.

    Raises:
        ConfigError: it is not, or what it costs is unknown.
    """
    if max_cost is None or not found.is_paid:
        return
    if found.total.cost_usd is None:
        fix = "say the price in the provider's profile, or leave --max-cost out."
        raise ConfigError(Problem(f"{found}: unknown is not within --max-cost {max_cost:g}", "command line", fix=fix))
    if found.total.cost_usd > max_cost:
        fix = f"--max-cost {_up(found.total.cost_usd):g}, fewer epochs or examples, or provider.rehearsed=true."
        what = f"{found}: more than --max-cost {max_cost:g}"
        raise CostError(Problem(what, "command line", why="Nothing was sent.", fix=fix))


def refuse_unasked(found: Bill, consent: Consent) -> None:
    """Say nothing where somebody has said yes, or can.

    Raises:
        ConfigError: there is no terminal to ask at.
    """
    if consent.yes or (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    fix = "add --yes, or rehearse it for nothing: provider.rehearsed=true"
    what = f"{found}, to be paid to {' and '.join(found.providers)}, and no terminal to ask at"
    raise ConfigError(Problem(what, "command line", why="Nothing was sent.", fix=fix))


def confirm(found: Bill, consent: Consent) -> None:
    """Ask at the terminal whether to pay; `--yes` has said so already.

    Raises:
        ConfigError: the answer was no.
    """
    if consent.yes:
        return
    said = str(found)
    asked = f"{said[0].upper()}{said[1:]}, to be paid to {' and '.join(found.providers)}. Go on? [y/N] "
    print(asked, end="", file=sys.stderr, flush=True)
    # Not through sys.stdin: a thread that waits in it would keep the process from ending after Ctrl-C.
    if os.read(sys.stdin.fileno(), LINE_BYTES).decode(errors="replace").strip().lower() not in YES:
        raise ConfigError(Problem("not paid for: nothing was sent", fix="the same command asks again."))


def _beyond(found: Bill, limit: float, reserved: float) -> CostError:
    others = f", ${reserved:,.2f} are spent or reserved already" if reserved else ""
    what = f"{found}{others}, and the budget is ${limit:,.2f}"
    fix = f"budget.usd={_up(reserved + (found.total.cost_usd or 0)):g}, or provider.rehearsed=true."
    return CostError(Problem(what, "budget.usd", why="Nothing was sent.", fix=fix))


def _up(usd: float) -> float:
    """Return an amount rounded up to the cent."""
    return -(-round(usd * 100, 6) // 1) / 100
