"""A job at its rung: launched once for its full length, let stand still, and going on or cancelled."""

import shutil
from collections.abc import Container
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import failpoints
import pytest
from fake_provider import Script
from job_fixture import Jobs
from job_provider import Bare, FolderProvider

from ftbuild.cutting import cancelled
from ftbuild.engine import Runners
from ftbuild.errors import ProviderError
from ftbuild.ledger.budget import Reservations
from ftbuild.ledger.journal import Journal
from ftbuild.ledger.port import JobEvent, JobState
from ftbuild.outcome import Build
from ftbuild.plan.action import CHECKPOINT, JOB, Action
from ftbuild.plan.graph import Graph
from ftbuild.runners.rung import checkpoint
from ftbuild.voice import Voice
from ftbuild.workers import Made


class Unsteered(FolderProvider):
    """A provider that can neither pause nor cancel."""

    def pause_job(self, job_id: str) -> JobState:
        raise ProviderError(f"fake: no such route for {job_id}", status=404)

    cancel_job = pause_job


@dataclass
class AtRung(Jobs):
    """The same project, of whose job the checkpoint after its only epoch is wanted, and no more."""

    def graph(self) -> Graph:
        whole = super().graph()
        graph = Graph({name: each for name, each in whole.actions.items() if each.label in ("train", "valid")})
        job = self.job()
        graph.add(Action(CHECKPOINT, "job, epoch 1", "train", {**job.settings, "epoch": 1}, job.inputs))
        return graph

    def job(self) -> Action:
        return next(each for each in super().graph() if each.kind is JOB)

    def runners(self) -> Runners:
        def run(action: Action, key: str, done: Build, voice: Voice) -> Made:
            return checkpoint(self.shop(), action, key, done, voice)

        return Runners(super().runners().pure, {"checkpoint": run}, super().runners().given)

    def journal(self) -> Journal:
        [path] = (self.world.store / "ledger").glob("*.jsonl")
        return Journal(path.parent, path.stem)


def at_rung(folder: Path, kind: type[FolderProvider] = FolderProvider) -> AtRung:
    toy = AtRung(folder, status_on="running", kind=kind)
    toy.build_on()
    return toy


def test_a_job_waits_at_its_rung_and_goes_on_when_more_of_it_is_wanted(tmp_path: Path) -> None:
    toy = at_rung(tmp_path)
    assert (toy.journal().state().status, toy.journal().state().is_held) == ("paused", True)
    whole = Jobs(tmp_path)
    done = whole.build_on()
    assert not done.failed
    assert (toy.journal().state().status, toy.journal().state().is_held) == ("succeeded", False)
    assert list(whole.provider.creates_by_key().values()) == [1]


def test_where_a_provider_cannot_pause_the_job_runs_on_while_it_is_judged(tmp_path: Path) -> None:
    toy = at_rung(tmp_path, Unsteered)
    state = toy.journal().state()
    assert (state.status, state.is_held, state.wish) == ("running", False, None)
    assert toy.all_done


def test_a_pause_that_a_person_wished_is_left_to_them(tmp_path: Path) -> None:
    journal = at_rung(tmp_path).journal()
    journal.append(1.0, "pause", job_id="ftjob-1")
    assert not journal.state().is_held


def test_a_loser_is_cancelled_with_the_reason_and_asked_for_no_second_time(tmp_path: Path) -> None:
    toy = at_rung(tmp_path)
    said = cancelled(toy.provider, toy.journal(), Script().clock, "cut at epoch 1 by a sweep")
    assert said == "ftjob-1 cancelled after step 1 of 3"
    state = toy.journal().state()
    assert (state.status, state.error, state.ended_badly) == ("cancelled", "cut at epoch 1 by a sweep", True)
    done = Jobs(tmp_path, keep_going=True).build_on()
    [error] = done.failed.values()
    assert str(error).startswith("ftjob-1 cancelled: cut at epoch 1 by a sweep")
    assert list(toy.provider.creates_by_key().values()) == [1]


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a project whose job waits at its rung, after one step of three, for six dollars."""
    folder = tmp_path_factory.mktemp("paid")
    toy = at_rung(folder)
    assert reservations(folder).reserve({toy.job().id: 6.0, "other": 3.0}, 10.0, 0.0) is None
    return folder


def reservations(folder: Path) -> Reservations:
    return Reservations(AtRung(folder).ledger.folder)


def cut(folder: Path, kind: type[FolderProvider] = FolderProvider) -> int:
    toy = AtRung(folder, status_on="running", kind=kind)
    cancelled(toy.provider, toy.journal(), Script().clock, "cut", reservations(folder))
    return 0


def standing(folder: Path) -> dict[str, float]:
    return {name: usd for name, usd in reservations(folder).standing().items() if name != "other"}


def test_whoever_is_killed_anywhere_between_the_cancel_and_the_giving_back_has_it_given_back_by_the_next_look(
    paid: Path, tmp_path: Path
) -> None:
    name = AtRung(paid).job().id
    for n in count(1):
        folder = tmp_path / str(n)
        shutil.copytree(paid, folder)
        ended = failpoints.run(partial(cut, folder), n, "killed")
        assert standing(folder) in ({name: 6.0}, {name: 2.0})
        for _ in range(2):
            cut(folder)
            assert standing(folder) == {name: 2.0}
        state = AtRung(folder).journal().state()
        assert (state.status, list(AtRung(folder).provider.creates_by_key().values())) == ("cancelled", [1])
        if ended.code == 0:
            break
    assert n > 5  # wish, cancel, end and the giving back are several effects each


class Silent(FolderProvider):
    """A provider whose events cannot be had."""

    def job_events(self, job_id: str, known: Container[str] = ()) -> list[JobEvent]:  # noqa: ARG002
        raise ProviderError("fake: no answer")


@pytest.mark.parametrize("kind", [Unsteered, Silent, Bare])
def test_where_a_job_is_not_cancelled_or_tells_of_no_steps_all_of_its_price_stays(
    kind: type[FolderProvider], paid: Path, tmp_path: Path
) -> None:
    shutil.copytree(paid, tmp_path / "copy")
    cut(tmp_path / "copy", kind)
    assert list(standing(tmp_path / "copy").values()) == [6.0]


def test_one_that_cannot_be_cancelled_runs_on(tmp_path: Path) -> None:
    toy = at_rung(tmp_path, Unsteered)
    said = cancelled(toy.provider, toy.journal(), Script().clock, "cut")
    assert said == "ftjob-1 runs to its end: the provider cannot cancel a job"
