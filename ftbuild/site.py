"""The surroundings of a build: what actions may know that no key holds, and who they talk to.

For each action the first point that asked for it stands in for all: equal actions cannot tell the difference.
"""

import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Any

from ftbuild import __version__, lockfile, runs, tool_results, tracking
from ftbuild.digest import of_value
from ftbuild.engine import Runners
from ftbuild.evaluate.throttle import Throttle
from ftbuild.outcome import Build, Ran
from ftbuild.plan import cost
from ftbuild.plan.action import JUDGE, Action
from ftbuild.plan.estimate import NOTHING, Estimate, total
from ftbuild.plan.rounds import BEFORE
from ftbuild.points import Point, asked_as, command_line, owners, part_of
from ftbuild.providers.connection import Connection
from ftbuild.runners.pure import PURE
from ftbuild.runners.remote import remote
from ftbuild.runners.workshop import Workshop
from ftbuild.store.store import Store
from ftbuild.voice import Stopping
from ftbuild.world import World


class Site:
    """What one build of `points` needs around it; `aside` leaves the terminal to another process for a while,
    `retried` is a job that is to be launched once more, `sweep` are the words that asked for several points, `ray` is
    the cluster on which our own server trains.

    `costs` say what its actions cost, as estimated before they ran; what is not in it cost nothing.
    """

    def __init__(
        self,
        world: World,
        store: Store,
        points: Sequence[Point],
        aside: Callable[[], AbstractContextManager[None]],
        stopping: Stopping,
        jobs: int = 1,
        retried: str | None = None,
        sweep: Sequence[str] | None = None,
        ray: str | None = None,
    ) -> None:
        self._world, self._store, self._points, self._aside, self._stopping = world, store, [*points], aside, stopping
        self._owners, self._retried = owners(points), retried
        self._sweep, self._ray = sweep, ray
        self._commit: Mapping[str, Any] | None = None
        self._runs: dict[int, dict[str, Any]] = {}
        self._connections: dict[str, Connection] = {}
        self._throttles: dict[tuple[str, int | None], Throttle] = {}
        self._started_at = world.now()
        self.costs: Mapping[str, Estimate] = {}
        self._before: Mapping[str, Ran] = {}
        self._how = {"jobs": jobs, "scratch": str(store.folder)}

    def runners(self) -> Runners:
        """Return what every kind of action does here."""
        return Runners(PURE, remote(self._shop), self._given, self._manifest)

    def run_of(self, point: Point) -> Mapping[str, Any]:
        """Return the facts of a point's run; its folder is made with the first question."""
        number = self._points.index(point)
        if number not in self._runs:
            self._runs[number] = runs.describe(
                point.composed, point.command, self._world, self._started_at, self._git()
            )
        spent = total(self.costs[name] for name in point.ids if name in self.costs)
        return self._runs[number] | {"cost_usd": spent.cost_usd}

    def expect(self, points: Sequence[Point]) -> None:
        """Let points ask for something that were not there at first."""
        known = {id(each) for each in self._points}
        self._points += [each for each in points if id(each) not in known]
        self._owners = owners(self._points)

    def go_on(self, point: Point, grown: Point, done: Build) -> None:
        """Let a point ask for more, after a walk that did `done`; its run stays the one that it is."""
        self._points[self._points.index(point)] = grown
        self._owners, self._before = owners(self._points), done.ran

    def release(self) -> None:
        """Take away the folders of runs to which nothing was written."""
        for run in self._runs.values():
            runs.release(self._world, run)

    def _shop(self, action: Action) -> Workshop:
        point = self._owners[action.id]
        settings = asked_as(point, action).composed.settings
        settings = settings.of_judge if action.kind is JUDGE else settings
        asked = of_value([settings.provider.model_dump(mode="json"), settings.model.keyed()])
        if asked not in self._connections:
            world = replace(self._world, sleep=self._stopping.sleep)
            given = (settings.provider, settings.model, world, self._aside)
            self._connections[asked] = Connection(*given, ray=self._ray)
        pace = settings.evaluation.requests_per_minute
        provider = of_value(settings.provider.model_dump(mode="json"))
        throttle = self._throttles.setdefault((provider, pace), Throttle(pace))
        return Workshop(
            settings=settings,
            world=self._world,
            store=self._store,
            connect=self._connections[asked].branch,
            experiment=point.composed.experiment,
            command=point.command,
            remembered=partial(lockfile.job_of, self._lock(point)),
            retried=self._retried,
            curves=lambda job_id: tracking.growing(point, job_id, self._world, self._sweep),
            results=partial(tool_results.runs_of, point.composed),
            throttle=lambda: throttle,
            judged=point.judged,
        )

    def _lock(self, point: Point) -> Mapping[str, Any] | None:
        path = lockfile.place(self._world.root, point)
        return lockfile.read(path) if path is not None else None

    def _given(self, action: Action, done: Build) -> Mapping[str, Any]:
        """Return what a pure action may know besides its settings."""
        point = self._owners[action.id]
        if action.kind.name == "ingest":
            return {**point.composed.source_place(action.label).given(), **self._how}
        if action.kind.name != "report":
            return self._how
        seen = Build(done.store, {name: self._before.get(name, ran) for name, ran in done.ran.items()})
        above = part_of(seen, point, self._owners).ran.values()
        sources = point.composed.settings.sources
        lines, asked = runs.settings_lines(point.composed), point.composed.settings.round
        return {
            "run": {
                **self.run_of(point),
                "settings_lines": lines,
                "seconds": round(sum(ran.seconds for ran in above), 1),
            },
            "actions": [
                {"label": ran.action.label, "status": ran.status, "seconds": ran.record.seconds} for ran in above
            ],
            "sources": {name: source.model_dump(mode="json") for name, source in sources.items()},
            "arms": {
                name: {
                    "about": arm.about(point.composed.settings.retrieval.documents is not None),
                    "prices": cost.prices(
                        arm.provider or point.composed.settings.provider, arm.model or point.composed.settings.model
                    ),
                }
                for name, arm in point.composed.settings.arms.items()
            },
            "at_once": point.composed.settings.evaluation.concurrency,
            "round": {"run": asked.run if asked is not None else None, "jobs": self._jobs(point, action, done)},
        }

    def _jobs(self, point: Point, report: Action, done: Build) -> dict[str, Any]:
        """Return for which experiment each job of a report was, and what it cost, by its role."""
        found = {}
        for role, composed in (("job", point.composed), (f"{BEFORE}.job", point.composed.before)):
            for each in report.inputs:
                if each.role == role and composed is not None:
                    told = self._store.manifest(done.ran[each.action].record.key)
                    found[role] = {"experiment": composed.experiment, "cost_usd": told.get("cost_usd")}
        return found

    def _manifest(self, action: Action) -> Mapping[str, Any]:
        """Return what a record tells besides what made it."""
        return {
            "git": self._git(),
            "versions": {"ftbuild": __version__, "python": platform.python_version(), "system": platform.system()},
            "command": command_line(self._owners[action.id]),
            "cost_usd": self.costs.get(action.id, NOTHING).cost_usd,
        }

    def _git(self) -> Mapping[str, Any]:
        if self._commit is None:
            self._commit = runs.git_state(self._world.root)
        return self._commit
