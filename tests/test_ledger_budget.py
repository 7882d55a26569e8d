"""Reservations of a budget: what fits is reserved once, whoever asks, and survives a crash."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ftbuild.errors import StoreError
from ftbuild.ledger.budget import LINES, Refused, Reservations
from ftbuild.ledger.journal import journals


def test_what_fits_is_reserved_and_what_does_not_is_refused_whole(tmp_path: Path) -> None:
    found = Reservations(tmp_path)
    assert found.reserve({"job": 6.0, "answers": 1.0}, 10.0, 1.0) is None
    assert found.reserve({"other": 2.0, "more": 1.5}, 10.0, 2.0) == Refused(reserved=7.0, asked=3.5)
    assert found.standing() == {"job": 6.0, "answers": 1.0}
    assert found.reserve({"other": 3.0}, 10.0, 3.0) is None


def test_the_same_work_is_reserved_once(tmp_path: Path) -> None:
    found = Reservations(tmp_path)
    for usd in (6.0, 6.0, 7.0):
        assert found.reserve({"job": usd}, 10.0, 1.0) is None
    assert found.standing() == {"job": 7.0}


def test_what_is_released_can_be_reserved_by_others(tmp_path: Path) -> None:
    found = Reservations(tmp_path)
    found.reserve({"job": 10.0}, 10.0, 1.0)
    found.release(["job"], 2.0)
    assert found.standing() == {}
    assert found.reserve({"other": 10.0}, 10.0, 3.0) is None


def test_what_is_settled_leaves_a_share_once_and_nothing_of_others(tmp_path: Path) -> None:
    found = Reservations(tmp_path)
    found.reserve({"job": 4.0, "other": 3.0}, 10.0, 1.0)
    assert [found.is_whole(name) for name in ("job", "other", "nobody")] == [True, True, False]
    for share in (0.25, 0.5):
        found.settle("job", share, 2.0)
        found.settle("nobody", share, 2.0)
        assert found.standing() == {"job": 1.0, "other": 3.0}
    assert [found.is_whole(name) for name in ("job", "other")] == [False, True]


def test_a_line_that_a_crash_cut_short_never_took_effect(tmp_path: Path) -> None:
    found = Reservations(tmp_path)
    found.reserve({"job": 6.0}, 10.0, 1.0)
    with (tmp_path / LINES).open("ab") as file:
        file.write(b'{"v":1,"at":2,"event":"reserved","name":"torn","usd":4')
    assert found.standing() == {"job": 6.0}
    assert found.reserve({"next": 4.0}, 10.0, 3.0) is None
    assert found.standing() == {"job": 6.0, "next": 4.0}


def test_a_damaged_line_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / LINES).write_text('{"v":1,"at":1,"event":"reserved","name":"job","usd":1}\n{}\n')
    with pytest.raises(StoreError) as caught:
        Reservations(tmp_path).standing()
    assert str(caught.value) == (
        f"{tmp_path / LINES}:2: the reservations of the budget cannot be read: this line is damaged\n"
        "    Fix: mend the line, or delete it: what it reserved counts no more."
    )


def test_reservations_are_no_journal(tmp_path: Path) -> None:
    Reservations(tmp_path).reserve({"job": 1.0}, 10.0, 1.0)
    assert journals(tmp_path) == []


MANY = """
import json, sys
from pathlib import Path
from ftbuild.ledger.budget import Reservations
found = Reservations(Path(sys.argv[1]))
print(json.dumps([found.reserve({f"{sys.argv[2]}-{n}": 1.0}, 10.0, 1.0) is None for n in range(10)]))
"""


def test_two_processes_cannot_spend_the_same_money(tmp_path: Path) -> None:
    """Each asks ten times for a dollar of ten: ten dollars are reserved in all, each of them once."""
    command = [sys.executable, "-c", MANY, str(tmp_path)]
    both = [subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in ("a", "b")]
    said = [json.loads(each.communicate()[0]) for each in both]
    assert sum(map(sum, said)) == 10
    assert sum(Reservations(tmp_path).standing().values()) == 10.0
