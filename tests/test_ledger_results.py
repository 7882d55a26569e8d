"""Metrics out of events and result files, and the checkpoint that is used."""

import base64
from typing import Any

import pytest

from ftbuild.errors import EvaluationError
from ftbuild.ledger.checkpoints import Chosen, choose
from ftbuild.ledger.port import JobEvent
from ftbuild.ledger.results import merged, rows_of_events, rows_of_file

OPENAI = b"step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n1,2.5,0.4,,\n2,1.5,0.6,1.75,0.5\n"
AZURE = (
    b"step,train_loss,train_mean_token_accuracy,valid_loss,validation_mean_token_accuracy,full_valid_loss,"
    b"full_valid_mean_token_accuracy\r\n1,2.5,0.4,,,,\r\n2,1.5,0.6,1.75,0.5,1.8,0.5\r\n"
)


def row(step: int, train: float | None, valid: float | None = None, full: float | None = None) -> dict[str, Any]:
    return {"step": step, "train_loss": train, "valid_loss": valid, "full_valid_loss": full}


def event(**data: Any) -> JobEvent:
    return JobEvent(str(data), 1, "metrics", "", data)


@pytest.mark.parametrize(
    ("content", "full"),
    [
        (OPENAI, None),
        (base64.b64encode(OPENAI), None),
        (base64.encodebytes(OPENAI), None),
        (b"\xef\xbb\xbf" + OPENAI, None),
        (AZURE, 1.8),
    ],
    ids=["plain", "base64", "base64 in lines", "with a BOM", "Azure"],
)
def test_a_result_file_is_read_by_its_header(content: bytes, full: float | None) -> None:
    assert rows_of_file(content) == [row(1, 2.5), row(2, 1.5, 1.75, full)]


@pytest.mark.parametrize("content", [b"", b"{}", b"a,b\n1,2\n", b"\xff\xfe\x00", base64.b64encode(b"a,b\n")])
def test_what_is_no_table_of_steps_has_no_rows(content: bytes) -> None:
    assert rows_of_file(content) == []


def test_a_cell_that_is_no_number_is_no_value() -> None:
    assert rows_of_file(b"valid_loss,step,train_loss\nnan,3,oops\n1.0,2,inf\n,,\n") == [row(2, None, 1.0), row(3, None)]


def test_rewards_are_kept_where_they_are_told() -> None:
    told = rows_of_events([event(step=1, train_reward_mean=0.25)])
    assert told == [{**row(1, None), "train_reward_mean": 0.25}]


def test_steps_are_told_once_and_events_go_before_files() -> None:
    events = rows_of_events([event(step=2, train_loss=1.4), event(step=2, train_loss=1.4), event(message="x")])
    assert events == [row(2, 1.4)]
    assert merged(events, rows_of_file(OPENAI)) == [row(1, 2.5), row(2, 1.4, 1.75)]


def job(*losses: tuple[int, float | None]) -> dict[str, Any]:
    checkpoints = [{"step": step, "valid_loss": loss, "model": f"ft:ckpt-step-{step}"} for step, loss in losses]
    return {"job_id": "ftjob-1", "fine_tuned_model": "ft:last", "checkpoints": checkpoints}


@pytest.mark.parametrize(
    ("told", "rule", "chosen"),
    [
        (job((10, 0.5), (20, 0.7)), "last", Chosen("ft:last", 20)),
        (job(), "last", Chosen("ft:last", None)),
        (job((10, 0.5), (20, 0.7)), "lowest_validation_loss", Chosen("ft:ckpt-step-10", 10)),
        (job((10, 0.5), (20, 0.5)), "lowest_validation_loss", Chosen("ft:ckpt-step-10", 10)),
        (job((10, 0.5), (20, 0.4)), "lowest_validation_loss", Chosen("ft:last", 20)),
        (job((10, None), (20, 0.4)), "lowest_validation_loss", Chosen("ft:last", 20)),
    ],
)
def test_a_rule_chooses_the_checkpoint(told: dict[str, Any], rule: str, chosen: Chosen) -> None:
    assert choose(told, rule) == chosen


def evaluated(*means: float | None, lower: bool = False) -> dict[str, Any]:
    found = job(*((10 * number, 0.5) for number in range(1, len(means) + 1)))
    for each, mean in zip(found["checkpoints"], means, strict=True):
        each["evaluation"] = {"metric": "chrf", "n": 0 if mean is None else 9, "mean": mean, "lower_is_better": lower}
    return found


@pytest.mark.parametrize(
    ("told", "step"),
    [
        (evaluated(0.4, 0.6, 0.5), 20),
        (evaluated(0.4, 0.6, 0.5, lower=True), 10),
        (evaluated(0.6, 0.6), 10),
        (evaluated(None, 0.1), 20),
    ],
)
def test_the_best_answers_are_the_highest_or_of_what_should_be_low_the_lowest(told: dict[str, Any], step: int) -> None:
    assert choose(told, "best_evaluation").step == step


def test_without_a_scored_answer_there_is_nothing_to_choose_by() -> None:
    for told in (evaluated(None, None), job((10, 0.5))):
        with pytest.raises(EvaluationError, match="has a scored answer to a validation example to choose by"):
            choose(told, "best_evaluation")


def test_without_a_validation_loss_there_is_nothing_to_choose_by() -> None:
    with pytest.raises(EvaluationError) as caught:
        choose(job((10, None)), "lowest_validation_loss")
    assert str(caught.value) == (
        "ftjob-1: no checkpoint has a validation loss to choose by\n"
        "    method.checkpoint=lowest_validation_loss compares them, and the job is over: nothing of it is lost.\n"
        "    Fix: method.checkpoint=last"
    )
