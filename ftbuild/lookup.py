"""Compare a graph with the store: what a build would do, and why. Writes nothing."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftbuild.digest import of_bytes
from ftbuild.errors import StoreError
from ftbuild.ledger.journal import Journal, JournalState, fold
from ftbuild.ledger.port import PARKED
from ftbuild.plan.action import Action
from ftbuild.plan.explain import NEVER, Difference, differences, labels, nearest, reasons
from ftbuild.plan.graph import Graph
from ftbuild.store import durable
from ftbuild.store.locks import running
from ftbuild.store.store import Record, Store
from ftbuild.voice import Status
from ftbuild.world import World

HISTORY_AT_MOST = 50
GONE = "its result is gone from the store"


@dataclass(frozen=True)
class Planned:
    """What would happen to one action. `key` is None below an action that must run first.

    `differences` are those to the most alike record before it; `before` is the key of that record.
    """

    action: Action
    key: str | None
    status: Status
    reasons: list[str]
    record: Record | None
    differences: list[Difference] = field(default_factory=list)
    before: str | None = None


@dataclass(frozen=True)
class LedgerFolder:
    """The journals of one store, and a second copy of what was paid for.

    `retried` is a job that is to be launched once more: its key is seen as it will be when that is written down.
    """

    world: World
    retried: str | None = None

    @property
    def folder(self) -> Path:
        """Return the ledger's folder."""
        return self.world.store / "ledger"

    def journal(self, key: str) -> Journal:
        """Return the journal of a key."""
        return Journal(self.folder, key)

    def state(self, key: str) -> JournalState:
        """Return where the paid action of a key stands.

        Raises:
            StoreError: its journal cannot be read.
        """
        state = self.journal(key).state()
        if self.retried is None or state.job_id != self.retried:
            return state
        return fold([{"event": "retry", "at": self.world.now(), "job_id": self.retried}], state)

    def status(self, action: Action, key: str) -> tuple[Status, list[str]]:
        """Return how an action without a record stands, and why where the journal knows."""
        if action.kind.contract != "paid":
            return "RUN", []
        state = self.state(key)
        if state.job_id is None:
            return "RUN", []
        if state.is_lost:
            return "ATTACH", [f"{state.job_id} was not at the provider: asked for once more"]
        if state.ended_badly:
            return "FAILED", [f"{state.job_id} {state.status}: {state.error or 'no reason given'}"]
        return "ATTACH", [f"{state.job_id} is {state.status if state.status in PARKED else 'under way'}"]

    def keep(self, key: str, outputs: Mapping[str, bytes], note: str) -> None:
        """Keep a second copy of what a paid action made, and say in its journal that it is there.

        It cannot be made again for nothing, and the provider does not keep it for ever.
        """
        named = {name: of_bytes(content) for name, content in outputs.items()}
        for name, content in outputs.items():
            durable.write(self.folder / key / named[name], content, mode=0o444)
        self.journal(key).append(self.world.now(), "fetched", outputs=named, note=note)

    def kept(self, key: str) -> tuple[dict[str, bytes], str] | None:
        """Return the outputs and the note of a paid action whose results were fetched; None where any is gone."""
        state = self.journal(key).state()
        if state.fetched is None:
            return None
        outputs = {}
        for name, digest in state.fetched.items():
            copy = self.folder / key / digest
            if not copy.is_file() or of_bytes(content := copy.read_bytes()) != digest:
                return None
            outputs[name] = content
        return outputs, state.note

    def restored(self, store: Store, key: str) -> Record | None:
        """Return the record of a paid action whose bytes in the store were lost, mended from the second copy."""
        if store.find(key) is not None or store.spoilt(key) is None:
            return None
        record = Record.from_json(store.manifest(key))
        for digest in record.outputs.values():
            copy = self.folder / key / digest
            if copy.is_file() and of_bytes(content := copy.read_bytes()) == digest:
                store.put(content)
        return store.find(key)


def look_up(graph: Graph, store: Store, ledger: LedgerFolder) -> list[Planned]:
    """Return what a build of `graph` would do, writing nothing."""
    planned: dict[str, Planned] = {}
    history = History(store)
    for action in graph:
        above = [planned[each.action] for each in action.inputs]
        if any(each.status in ("FAILED", "BLOCKED") for each in above):
            planned[action.id] = Planned(action, None, "BLOCKED", ["an action above has failed"], None)
            continue
        changed = sorted({each.action.label for each in above if each.record is None})
        if changed:
            planned[action.id] = Planned(action, None, "MAYBE", [f"after {labels(changed)}"], None)
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
        else:
            planned[action.id] = _missing(action, key, action.preimage(digests), store, ledger, history)
    return list(planned.values())


def _missing(
    action: Action, key: str, preimage: Mapping[str, Any], store: Store, ledger: LedgerFolder, history: "History"
) -> Planned:
    """Return the plan of an action that has no record."""
    status, why = ledger.status(action, key)
    if status == "RUN" and running(store.folder, key):
        return Planned(action, key, "WAIT", ["another ftbuild is at it"], None)
    if said := store.spoilt(key):
        return Planned(action, key, status, [*why, f"its result {said}"], None, [], key)
    before = history.of(action)
    old = nearest(preimage, [each["preimage"] for each in before])
    if old is None:
        return Planned(action, key, status, why or [NEVER], None)
    found = differences(old, preimage, action.label)
    nearest_key = next(str(each["key"]) for each in before if each["preimage"] is old)
    return Planned(action, key, status, why or [str(each) for each in found] or [GONE], None, found, nearest_key)


class History:
    """The latest records of each kind and label, read when first asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._all: dict[tuple[str, str], list[Mapping[str, Any]]] | None = None
        self._asked: dict[tuple[str, str], list[Mapping[str, Any]]] = {}

    def of(self, action: Action) -> list[Mapping[str, Any]]:
        """Return the manifests, newest first."""
        which = (action.kind.name, action.label)
        if which not in self._asked:
            found: list[Mapping[str, Any]] = []
            for key in self._store.index.keys(*which, HISTORY_AT_MOST):
                with suppress(StoreError):  # gone since it was indexed
                    found.append(self._store.manifest(key))
            self._asked[which] = found or self._read(which)
        return self._asked[which]

    def reasons(self, action: Action, preimage: Mapping[str, Any]) -> list[str]:
        """Return why an action has no record, against the most alike of its kind and label."""
        return reasons(preimage, [each["preimage"] for each in self.of(action)], action.label)

    def _read(self, which: tuple[str, str]) -> list[Mapping[str, Any]]:
        if self._all is None:
            self._all = {}
            for each in sorted(self._store.manifests(), key=lambda each: -each["started_at"]):
                self._all.setdefault((each["kind"], each["label"]), []).append(each)
        return self._all.get(which, [])[:HISTORY_AT_MOST]
