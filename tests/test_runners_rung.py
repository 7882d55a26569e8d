"""A job at its rung: launched once for its full length, let stand still, and going on or cancelled."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from fake_provider import Script
from job_fixture import Jobs
from job_provider import FolderProvider

from ftbuild.cutting import Cancelled, cancelled, give_back
from ftbuild.engine import Runners
from ftbuild.errors import ProviderError
from ftbuild.ledger.budget import Reservations
from ftbuild.ledger.journal import Journal
from ftbuild.ledger.port import JobState
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
    said = cancelled(toy.provider, toy.journal(), Script().clock, "ftjob-1", "cut at epoch 1 by a sweep")
    assert said.said == "ftjob-1 cancelled after step 1 of 3"
    state = toy.journal().state()
    assert (state.status, state.error, state.ended_badly) == ("cancelled", "cut at epoch 1 by a sweep", True)
    done = Jobs(tmp_path, keep_going=True).build_on()
    [error] = done.failed.values()
    assert str(error).startswith("ftjob-1 cancelled: cut at epoch 1 by a sweep")
    assert list(toy.provider.creates_by_key().values()) == [1]


def test_one_that_cannot_be_cancelled_runs_on_and_nothing_is_given_back(tmp_path: Path) -> None:
    toy = at_rung(tmp_path, Unsteered)
    found = cancelled(toy.provider, toy.journal(), Script().clock, "ftjob-1", "cut")
    assert found == Cancelled("ftjob-1 runs to its end: the provider cannot cancel a job", 1.0)


@pytest.mark.parametrize(("share", "left"), [(0.25, 1.0), (0.0, 0.0), (1.0, 4.0)])
def test_the_rest_of_what_a_cancelled_job_had_reserved_is_given_back_and_no_other(
    share: float, left: float, tmp_path: Path
) -> None:
    reservations = Reservations(tmp_path)
    assert reservations.reserve({"one": 4.0, "other": 3.0}, 10.0, 0.0) is None
    give_back(reservations, "one", share, 1.0)
    give_back(reservations, "nobody", share, 1.0)
    assert reservations.standing() == {"one": left, "other": 3.0}
