"""A file is sent once to an account, whatever dies; what is gone there is sent again."""

import threading
from pathlib import Path

import pytest
from fake_provider import LOST
from job_provider import FolderProvider

from ftbuild.errors import ProviderError
from ftbuild.ledger.uploads import Uploads

DIGEST = "d1" * 32


class Bench:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.provider = FolderProvider(folder)
        self.file = folder / "train.jsonl"
        self.file.write_bytes(b'{"messages": []}\n')
        self.ledger = folder / "ledger"

    def send(self, digest: str = DIGEST, account: str = "acme") -> str:
        return Uploads(self.ledger, account).file_id(self.provider, self.file, digest, "train.jsonl", 7.0)


def test_a_second_job_with_the_same_dataset_sends_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.send() == bench.send()
    assert bench.provider.n_uploads == 1
    assert (bench.ledger / "files" / "acme" / f"{DIGEST}.json").read_bytes() == (
        b'{"v": 1, "at": 7.0, "file_id": "%s"}\n' % bench.send().encode()
    )


def test_another_dataset_and_another_account_are_sent(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert len({bench.send(), bench.send("d2" * 32), bench.send(account="other")}) == 3


def test_a_file_that_is_gone_at_the_provider_is_sent_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    first = bench.send()
    (tmp_path / first).unlink()
    second = bench.send()
    assert first != second == bench.send()
    assert bench.provider.n_uploads == 2


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"{}\n", b"\xff"])
def test_what_is_remembered_badly_is_not_remembered(damage: bytes, tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.send()
    (bench.ledger / "files" / "acme" / f"{DIGEST}.json").write_bytes(damage)
    assert bench.send() == bench.send()
    assert bench.provider.n_uploads == 2


def test_a_provider_that_does_not_answer_is_not_sent_to_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.send()

    def lost(_file_id: str) -> bool:
        raise LOST

    bench.provider.has_file = lost  # type: ignore[method-assign]
    with pytest.raises(ProviderError):
        bench.send()
    assert bench.provider.n_uploads == 1


def test_jobs_at_once_send_their_common_file_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(bench.send())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(found), len(set(found)), bench.provider.n_uploads) == (8, 1, 1)
