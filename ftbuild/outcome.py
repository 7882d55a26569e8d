"""What has happened to the actions of a graph: which have their record, which failed."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ftbuild.digest import of_value
from ftbuild.errors import FtbuildError
from ftbuild.lookup import Planned
from ftbuild.plan.action import Action
from ftbuild.store.store import Record, Store
from ftbuild.voice import Status


@dataclass(frozen=True)
class Ran:
    """What happened to one action."""

    action: Action
    status: Status
    record: Record
    seconds: float


@dataclass
class Build:
    """What has happened in a build so far; runners read what lies above them through it.

    `failed` holds the actions that failed, with their errors; what lies below them is in neither.
    """

    store: Store
    ran: dict[str, Ran] = field(default_factory=dict)
    failed: dict[str, FtbuildError] = field(default_factory=dict)

    def read(self, action: Action, role: str) -> bytes:
        """Return the bytes of one input of `action`."""
        each = next(each for each in action.inputs if each.role == role)
        return self.store.get(self.ran[each.action].record.outputs[each.output])

    def digests(self, action: Action) -> dict[str, str]:
        """Return the digest of each input of `action`, by role."""
        return {each.role: self.ran[each.action].record.outputs[each.output] for each in action.inputs}

    def part(self, ids: Iterable[str]) -> "Build":
        """Return what happened to some actions, in their order."""
        wanted = list(ids)
        return Build(
            self.store,
            {name: self.ran[name] for name in wanted if name in self.ran},
            {name: self.failed[name] for name in wanted if name in self.failed},
        )


def found(planned: Iterable[Planned], store: Store) -> Build | None:
    """Return the build in which nothing has to run, None where something has to."""
    done = Build(store)
    for each in planned:
        if each.record is None:
            return None
        done.ran[each.action.id] = Ran(each.action, "HIT", each.record, 0.0)
    store.flush()
    return done


def result_id(done: Build) -> str:
    """Return the digest that names everything a build produced."""
    return of_value(sorted(ran.record.key for ran in done.ran.values()))
