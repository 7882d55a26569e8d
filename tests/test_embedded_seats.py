"""Several graphics cards: a trainer in each, and what waits takes the seat that is free first."""

import json
import socket
from pathlib import Path

import pytest
from embedded_fixture import Running, lines, running, until

from ftbuild.embedded.seats import CARDS, Seat, here, named, on_cluster
from ftbuild.errors import ConfigError

FOREVER = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 50, "batch_size": 1}}}


@pytest.mark.parametrize(
    ("said", "n_cards", "found"),
    [
        ({}, 0, []),
        ({}, 2, ["0", "1"]),
        ({CARDS: "2, GPU-8a"}, 2, ["2", "GPU-8a"]),
        ({CARDS: "3,1"}, 1, ["3"]),  # torch cannot use the other
        ({CARDS: ""}, 0, []),
    ],
)
def test_cards_are_called_as_the_environment_calls_them(said: dict[str, str], n_cards: int, found: list[str]) -> None:
    assert named(said, n_cards) == found


def test_a_trainer_sees_its_own_card_and_the_processor_needs_no_word() -> None:
    assert here(("2", "0")).seats() == [Seat(environment={CARDS: "2"}), Seat(environment={CARDS: "0"})]
    assert here(()).seats() == [Seat()]


def test_a_cluster_that_is_none_ends_the_server_before_it_serves(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(ConfigError) as refused:
        on_cluster(address, 1)
    assert str(refused.value) == f"--ray {address}: no jobs can be trained there\n    The reason is above."
    assert capfd.readouterr().err.startswith(
        f"command line: --ray {address}: no cluster that can be used: Connection refused\n"
    )


def card_of(server: Running, job_id: str) -> str:
    """Return the card that the trainer of a job sees, "" while nobody trains it."""
    record = json.loads((server.state / "jobs" / job_id / "job.json").read_text())
    if record["status"] != "running":
        return ""
    said = Path(f"/proc/{record['_pid']}/environ").read_bytes().split(b"\0")
    return next((each.decode().partition("=")[2] for each in said if each.startswith(CARDS.encode())), "")


@pytest.mark.slow
def test_two_cards_train_two_jobs_and_the_third_takes_the_seat_that_is_free_first(tmp_path: Path) -> None:
    with running(tmp_path / "state", tmp_path / "cache", options=["--cards", "7,4"]) as server:
        one, two, three = (server.job(lines(60), method=FOREVER).id for _ in range(3))
        until(lambda: {card_of(server, one), card_of(server, two)} == {"7", "4"})
        assert card_of(server, three) == ""
        free = card_of(server, two)
        assert server.client.fine_tuning.jobs.pause(two).status == "paused"
        until(lambda: card_of(server, three) == free)
