"""Walk a graph: look up, run, record. The only loop with effects.

Owns the order of things. What an action does is its runner's business; what people see is the
console's. An action whose key has a record is not run; everything else about a build follows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ftbuild.digest import of_value
from ftbuild.ledger.journal import Journal
from ftbuild.plan.action import Action
from ftbuild.plan.explain import reasons
from ftbuild.plan.graph import Graph
from ftbuild.store.store import Record, Store
from ftbuild.world import World

Status = Literal["HIT", "RUN", "MAYBE", "ATTACH", "BLOCKED", "FAILED"]


class Console(Protocol):
    """Where a build tells what it does."""

    def started(self, action: Action) -> None:
        """An action begins."""
        ...

    def progress(self, text: str) -> None:
        """The running action has something new to say; a later text replaces an earlier one."""
        ...

    def finished(self, action: Action, status: Status, note: str, seconds: float) -> None:
        """An action has its record."""
        ...

    def say(self, text: str) -> None:
        """Say a line that stays."""
        ...


@dataclass(frozen=True)
class Planned:
    """What would happen to one action. `key` is None below an action that must run first."""

    action: Action
    key: str | None
    status: Status
    reasons: list[str]
    record: Record | None


@dataclass(frozen=True)
class Made:
    """What a runner returns: the bytes of each output, and a line for people."""

    outputs: Mapping[str, bytes]
    note: str


@dataclass(frozen=True)
class Ran:
    """What happened to one action."""

    action: Action
    status: Status
    record: Record
    seconds: float


@dataclass
class Build:
    """What has happened in a build so far; runners read what lies above them through it."""

    store: Store
    ran: dict[str, Ran] = field(default_factory=dict)

    def read(self, action: Action, role: str) -> bytes:
        """Return the bytes of one input of `action`."""
        each = next(each for each in action.inputs if each.role == role)
        return self.store.get(self.ran[each.action].record.outputs[each.output])

    def digests(self, action: Action) -> dict[str, str]:
        """Return the digest of each input of `action`, by role."""
        return {each.role: self.ran[each.action].record.outputs[each.output] for each in action.inputs}


Runner = Callable[[Action, str, Build], Made]


def look_up(graph: Graph, store: Store, ledger: "LedgerFolder") -> list[Planned]:
    """Return what a build of `graph` would do, writing nothing."""
    planned: dict[str, Planned] = {}
    history: list[Record] | None = None
    for action in graph:
        above = [planned[each.action] for each in action.inputs]
        if any(each.status in ("FAILED", "BLOCKED") for each in above):
            planned[action.id] = Planned(action, None, "BLOCKED", ["an action above has failed"], None)
            continue
        changed = sorted({each.action.label for each in above if each.record is None})
        if changed:
            planned[action.id] = Planned(action, None, "MAYBE", [f"after {_few(changed)}"], None)
            continue
        digests = {
            each.role: record.outputs[each.output]
            for each in action.inputs
            if (record := planned[each.action].record) is not None
        }
        key = action.key(digests)
        record = store.find(key)
        if record is not None:
            planned[action.id] = Planned(action, key, "HIT", [], record)
            continue
        history = store.records() if history is None else history
        before = [old.preimage for old in history if (old.kind, old.label) == (action.kind.name, action.label)]
        status, why = ledger.status(action, key)
        planned[action.id] = Planned(action, key, status, why or reasons(action.preimage(digests), before), None)
    return list(planned.values())


def _few(labels: list[str]) -> str:
    shown, rest = labels[:2], len(labels) - 2
    return f"{', '.join(shown)} and {rest} more" if rest > 0 else ", ".join(shown)


@dataclass(frozen=True)
class LedgerFolder:
    """The journals of one store, as the plan sees them."""

    world: World

    def journal(self, key: str) -> Journal:
        """Return the journal of a key."""
        return Journal(self.world.store / "ledger", key)

    def status(self, action: Action, key: str) -> tuple[Status, list[str]]:
        """Return how an action without a record stands, and why where the journal knows."""
        if action.kind.contract != "paid":
            return "RUN", []
        state = self.journal(key).state()
        if state.job_id is None:
            return "RUN", []
        if state.ended_badly:
            return "FAILED", [f"{state.job_id} {state.status}: {state.error or 'no reason given'}"]
        return "ATTACH", [f"{state.job_id} is under way"]


def build(graph: Graph, store: Store, world: World, console: Console, runners: Mapping[str, Runner]) -> Build:
    """Run what has no record, in order, and return what happened.

    Raises:
        FtbuildError: the first action that fails; what was done before it stays done.
    """
    done = Build(store)
    for action in graph:
        key = action.key(done.digests(action))
        record = store.find(key)
        if record is not None:
            done.ran[action.id] = Ran(action, "HIT", record, 0.0)
            console.finished(action, "HIT", record.note, 0.0)
            continue
        console.started(action)
        started_at = world.now()
        made = runners[action.kind.name](action, key, done)
        seconds = round(world.now() - started_at, 3)
        record = Record(
            key=key,
            kind=action.kind.name,
            label=action.label,
            preimage=action.preimage(done.digests(action)),
            outputs={name: store.put(content) for name, content in made.outputs.items()},
            note=made.note,
            started_at=started_at,
            seconds=seconds,
        )
        store.record(record)
        done.ran[action.id] = Ran(action, "RUN", record, seconds)
        console.finished(action, "RUN", made.note, seconds)
    return done


def result_id(done: Build) -> str:
    """Return the digest that names everything a build produced."""
    return of_value(sorted(ran.record.key for ran in done.ran.values()))
