"""A job that is at its provider already is taken over: what it costs is reserved first, wherever the client dies."""

from dataclasses import replace
from pathlib import Path

import failpoints
import pytest

from ftbuild.elsewhere import take
from ftbuild.ledger.budget import Reservations
from ftbuild.ledger.journal import Asked
from ftbuild.ledger.port import JobState
from ftbuild.lookup import LedgerFolder
from ftbuild.world import World

KEY, WORK = "a1" * 32, "the job"
OLD = JobState("ftjob-old", "running", 5, None, None, raw={"metadata": {"ftbuild_attempt": "2"}})
MINE, TWIN = replace(OLD, id="ftjob-9", raw={}), replace(OLD, id="ftjob-twin", raw={})


@pytest.fixture
def ledger(tmp_path: Path) -> LedgerFolder:
    return LedgerFolder(World.at(tmp_path))


def standing(ledger: LedgerFolder) -> dict[str, float]:
    return Reservations(ledger.folder).standing()


def test_the_oldest_is_taken_and_counts_whatever_the_limit(ledger: LedgerFolder) -> None:
    taken = take(ledger, KEY, WORK, 5.0, [MINE, TWIN], Asked())
    assert taken is not None
    assert (taken.job_id, taken.how, taken.others) == ("ftjob-9", "adopted", ("ftjob-twin",))
    assert standing(ledger) == {WORK: 5.0}
    assert take(ledger, KEY, WORK, 7.0, [MINE], Asked()) is None  # it has its job
    assert standing(ledger) == {WORK: 5.0}


@pytest.mark.parametrize(("usd", "counted"), [(None, {WORK: 0.0}), (0, {})])
def test_a_price_that_nobody_knows_stands_with_nothing_and_a_free_job_not_at_all(
    usd: float | None, counted: dict[str, float], ledger: LedgerFolder
) -> None:
    take(ledger, KEY, WORK, usd, [MINE], Asked())
    assert standing(ledger) == counted


def test_the_job_of_a_later_attempt_counts_beside_the_first(ledger: LedgerFolder) -> None:
    journal = ledger.journal(KEY)
    journal.append(1.0, "launched", job_id="ftjob-1")
    journal.append(2.0, "ended", job_id="ftjob-1", status="failed", error="broken", code=None)
    assert take(ledger, KEY, WORK, 5.0, [OLD], Asked()) is None
    assert take(replace(ledger, retried="ftjob-1"), KEY, WORK, 5.0, [OLD], Asked()) is not None
    state = ledger.state(KEY)
    assert (state.job_id, state.attempt, state.past, standing(ledger)) == (
        "ftjob-old",
        2,
        ("ftjob-1",),
        {f"{WORK}#2": 5.0},
    )


def test_a_client_that_dies_anywhere_has_never_counted_too_little(tmp_path: Path) -> None:
    n = 0
    while True:
        n += 1
        ledger = LedgerFolder(World.at(tmp_path / str(n)))

        def take_over(ledger: LedgerFolder = ledger) -> int:
            take(ledger, KEY, WORK, 5.0, [MINE], Asked())
            return 0

        ended = failpoints.run(take_over, n, "killed")
        if not ended.struck:
            break
        assert standing(ledger) == {WORK: 5.0} or ledger.state(KEY).job_id is None, ended.struck
        assert take_over() == 0
        assert (ledger.state(KEY).job_id, standing(ledger)) == ("ftjob-9", {WORK: 5.0}), ended.struck
    assert n > 5
