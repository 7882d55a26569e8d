"""How long a plan will take: by what earlier actions like its own took, brought to the size of the data."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from settings_fixture import graph, settings

from ftbuild.dataset.card import fact
from ftbuild.durations import Expected, expected
from ftbuild.lookup import Planned
from ftbuild.plan.action import Action
from ftbuild.points import Point
from ftbuild.runners import counting
from ftbuild.store.store import Record, Store

EPOCHS = settings().method.hyperparameters.n_epochs
ACTIONS = {each.label: each for each in graph()}
POINT = Point(cast("Any", SimpleNamespace(settings=settings())), (), tuple(each.id for each in graph()))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def ran(store: Store, action: Action, seconds: float, outputs: Mapping[str, bytes], **other: object) -> Record:
    """Keep the record of an action that took so long, with settings other than its own where they are given."""
    kept = {name: store.put(content) for name, content in outputs.items()}
    n = len(store.keys())
    record = Record(f"{n:064x}", action.kind.name, action.label, kept, "", float(n), seconds)
    store.record(record, {"preimage": {"settings": {**json.loads(action.settings_text), **other}}})
    return record


def lines(store: Store, train: int, test: int) -> Planned:
    """Return lines of 100 tokens each that are written already."""
    facts = [fact(split, {"messages": [], "slices": {"source": "pairs"}}, 100, 0) for split in ("train", "test")]
    counted = counting.written(Counter({facts[0]: train, facts[1]: test}))
    record = ran(store, ACTIONS["lines"], 1.0, {"facts.jsonl": counted})
    return Planned(ACTIONS["lines"], record.key, "HIT", [], record)


def job_outputs(trained_tokens: int) -> dict[str, bytes]:
    return {"job.json": json.dumps({"trained_tokens": trained_tokens}).encode()}


def to_come(*labels: str) -> list[Planned]:
    return [Planned(ACTIONS[label], None, "RUN", [], None) for label in labels]


def test_a_job_takes_as_long_for_each_token_and_epoch_as_the_last_one_like_it(store: Store) -> None:
    ran(store, ACTIONS["job"], 9000.0, job_outputs(24_000))
    ran(store, ACTIONS["job"], 480.0, job_outputs(24_000))
    assert EPOCHS == 3
    assert expected([lines(store, 100, 20), *to_come("job")], [POINT], store) == Expected(100 * 100 * 3 * 0.02)


def test_where_the_data_is_not_built_a_job_takes_as_long_as_the_last(store: Store) -> None:
    ran(store, ACTIONS["job"], 480.0, job_outputs(24_000))
    unbuilt = Planned(ACTIONS["lines"], None, "MAYBE", [], None)
    found = expected([unbuilt, *to_come("job")], [POINT], store)
    assert found == Expected(480.0, ("lines",))


def test_answers_take_as_long_each_as_the_slowest_of_late(store: Store) -> None:
    """A set that was taken up again has the seconds of its end alone."""
    for seconds in (25.0, 1.0):
        ran(store, ACTIONS["base"], seconds, {"predictions.jsonl": b"{}\n" * 50})
    assert expected([lines(store, 100, 20), *to_come("base")], [POINT], store) == Expected(20 * 0.5)


@pytest.mark.parametrize("other", [{"provider": {"kind": "openai"}}, {"model": {"id": "other"}}])
def test_another_model_or_provider_tells_nothing(store: Store, other: dict[str, Any]) -> None:
    ran(store, ACTIONS["job"], 480.0, job_outputs(24_000), **other)
    assert expected([lines(store, 100, 20), *to_come("job")], [POINT], store) == Expected(0, ("job",))


def test_what_is_done_takes_no_time(store: Store) -> None:
    assert expected([lines(store, 100, 20)], [POINT], store) == Expected(0)
