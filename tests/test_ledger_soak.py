"""Random kills against the ledger; `python -m tests.bench.ledger_soak` has more of them."""

import random

import pytest
from bench.ledger_soak import soak


@pytest.mark.slow
def test_whoever_is_killed_when_one_job_is_created_and_comes_to_its_end() -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    found = soak(rounds=15, seed=seed, seconds=60)
    print(found)
    assert (found.wrong, found.creates) == ((), found.rounds)
    assert found.rounds > 0
    assert found.kills > 0
