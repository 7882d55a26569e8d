"""A job's folder that is written elsewhere and here, and what goes there and comes back."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("torch")

from test_embedded_jobs import KilledError, a_job, base, left_behind, train, undisturbed

__all__ = ["base", "undisturbed"]  # fixtures

from ftbuild.embedded.guest import Guest
from ftbuild.embedded.parcels import ChangedError, Changes, News, packed, unpacked, written
from ftbuild.embedded.state import State
from ftbuild.embedded.weights import Base


@pytest.mark.parametrize("call", [*range(1, 35, 3), 100])
def test_a_job_whose_machine_is_lost_between_any_two_writes_goes_on_from_what_was_told_here(
    base: Path, tmp_path: Path, undisturbed: dict[str, object], call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every rename there makes something whole or gone: tell of all just before each, and be lost at the n-th."""
    here, there = State(tmp_path / "here"), State(tmp_path / "there")
    job = a_job(here)
    shutil.copytree(here.job_folder(job["id"]), there.job_folder(job["id"]))
    changes, n_calls = Changes(there, job["id"]), 0
    rename, change = Path.rename, Path.replace

    def told(move: Callable[[Path, Path], Path]) -> Callable[[Path, Path], Path]:
        def moved(path: Path, target: Path) -> Path:
            nonlocal n_calls
            if there.folder in path.parents:
                n_calls += 1
                written(here, job, changes.since())
                if n_calls == call:
                    raise KilledError
            return move(path, target)

        return moved

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", told(rename))
        patched.setattr(Path, "replace", told(change))
        with suppress(KilledError):
            train(there, job["id"], base)
    if call == 100:
        written(here, job, changes.since())
        assert left_behind(here, job["id"]) == left_behind(there, job["id"])
    else:
        train(here, job["id"], base)
    assert left_behind(here, job["id"]) == undisturbed


def test_what_is_told_keeps_what_only_we_know_of_the_job(base: Path, tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    state.register(Base("tiny", base, "made"))
    asked = {**a_job(state), "integrations": [{"type": "wandb", "wandb": {"project": "ours"}}]}
    parcel, paths = packed(state, asked)
    assert (parcel.job["integrations"], parcel.base) == ([], ("tiny", "made"))
    assert {name.partition("/")[0] for name in parcel.files} == {"base", "jobs"}
    assert set(parcel.files.values()) == set(paths)
    record = b'{"id": "%s", "status": "running", "integrations": []}' % asked["id"].encode()
    written(state, asked, News(record=record))
    assert (state.job(asked["id"]) or {})["integrations"] == asked["integrations"]


def test_a_job_that_goes_on_from_a_tuned_model_finds_it_where_it_is_unpacked(base: Path, tmp_path: Path) -> None:
    state, kept = State(tmp_path / "state"), tmp_path / "kept"
    state.register(Base("tiny", base, "made"))
    tuned = a_job(state)
    train(state, tuned["id"], base)
    again = a_job(state) | {"model": (state.job(tuned["id"]) or {})["fine_tuned_model"]}
    parcel, paths = packed(state, again)
    kept.mkdir()
    for digest, path in paths.items():
        shutil.copyfile(path, kept / digest)
    there = unpacked(parcel, kept, tmp_path / "there")
    found = there.model(again["model"])
    assert found is not None
    assert found[0] == Base("tiny", there.folder / "base", "made")
    assert found[1] is not None
    assert (found[1] / "adapter_model.safetensors").read_bytes() == left_behind(state, tuned["id"])["weights"][
        "step-12"
    ]  # type: ignore[index]
    assert there.events(again["id"]) == state.events(again["id"])


def test_bytes_that_changed_on_their_way_are_written_by_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = State(tmp_path / "state")
    job = a_job(state)
    before = state.events(job["id"])
    news = News({f"jobs/{job['id']}/adapters/step-1": {"a": "0" * 64}}, b"{}\n", None, (), {"0" * 64: b"other"})
    with pytest.raises(ChangedError, match="bytes changed on their way from the machine that trains"):
        written(state, job, news)
    assert state.events(job["id"]) == before
    monkeypatch.setenv("FTBUILD_CACHE", str(tmp_path / "cache"))
    guest = Guest(1)
    with pytest.raises(ChangedError, match="bytes changed on their way to the machine that trains"):
        guest.take("0" * 64, b"other", last=True)
    assert guest.lacks(["0" * 64]) == ["0" * 64]
    guest.leave()


def test_a_machine_keeps_the_files_of_its_guests_and_the_folders_of_none_that_is_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTBUILD_CACHE", str(tmp_path))
    digest = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"  # of "foo"
    one = Guest(1)
    assert one.lacks([digest, digest]) == [digest]
    one.take(digest, b"f", last=False)
    one.take(digest, b"oo", last=True)
    dead = tmp_path / "guests" / "guest-dead"
    dead.mkdir()
    dead.with_suffix(".lock").touch()
    two = Guest(1)
    assert two.lacks([digest]) == []
    assert not dead.exists()
    assert len(list((tmp_path / "guests").glob("guest-*/"))) == 2
    for guest in (one, two):
        guest.leave()
    assert [path.name for path in (tmp_path / "guests").glob("*/*")] == [digest]
