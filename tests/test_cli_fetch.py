"""`ftbuild fetch`: whatever happens on the way, every stored completion is in the file once, and no half of one."""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import failpoints
import pytest
from config_fixture import Ended, Own
from stored_fixture import DROPPED, KEY, WEATHER, Kept, keeping, one
from stub_server import stub

from ftbuild.cli.fetch import Progress
from ftbuild.errors import FtbuildError
from ftbuild.providers.stored_completions import LATE_SECONDS, fetch
from ftbuild.settings import Source
from ftbuild.sources import read_files
from ftbuild.world import World

TO = "data/logged.jsonl"
PARTIAL = f"{TO}.partial"
HANGS_SECONDS = 60  # a guard against a hang, not a limit


@pytest.fixture
def kept() -> Iterator[Kept]:
    with keeping() as found:
        yield found


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Own:
    monkeypatch.setenv("ACME_API_KEY", KEY)
    return Own(tmp_path)


def command(kept: Kept, *more: str) -> list[str]:
    asked = ["--to", TO, "--base-url", kept.url, "--api-key-env", "ACME_API_KEY"]
    return ["fetch", "stored_completions", *asked, *more]


def fetched(own: Own, kept: Kept, *more: str) -> Ended:
    """Fetch, and see that the key is nowhere."""
    ended = own.run(*command(kept, *more))
    files = [path.read_bytes() for path in own.folder.rglob("*") if path.is_file()]
    assert [text for text in (ended.out.encode(), ended.err.encode(), *files) if KEY.encode() in text] == []
    return ended


def lines(own: Own, name: str = TO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (own.folder / name).read_bytes().splitlines()]


def ids(own: Own, name: str = TO) -> list[str]:
    return [each["id"] for each in lines(own, name)]


def said(kept: Kept) -> str:
    return kept.url.removeprefix("http://").removesuffix("/v1")


def test_all_pages_of_both_lists_are_one_file_oldest_first(own: Own, kept: Kept) -> None:
    stored = kept.store(8, team="support")
    kept.page = 1
    ended = fetched(own, kept)
    told = f"{TO}: 8 stored completions, 8 of them new\nLearn from it: ftbuild init logged --from {TO}\n"
    assert ended == Ended(0, told, "")
    assert ids(own) == stored
    assert lines(own)[0] == {
        **kept.completions[0],
        "messages": kept.messages[stored[0]],
        "fetched": {"base_url": kept.url},
    }
    assert sorted(path.name for path in (own.folder / "data").iterdir()) == ["logged.jsonl"]


def test_what_is_fetched_is_read_as_examples_with_their_tools(own: Own, kept: Kept) -> None:
    kept.store(4, team="support")
    assert fetched(own, kept).code == 0
    source = Source(kind="stored_completions", path=TO, licence="internal", origin="here", group="metadata.team")
    read = read_files([(TO, (own.folder / TO).read_bytes())], "s", source)
    assert read.problems == []
    assert [(each.conversation(), each.group) for each in read.examples] == [
        (
            {
                "messages": [
                    {"role": "system", "content": "Help."},
                    {"role": "user", "content": f"How warm is {number}?"},
                    {"role": "assistant", "content": f"It is {number} 度."},
                ],
                "tools": [WEATHER],
            },
            "support",
        )
        for number in range(4)
    ]


def test_the_command_that_is_told_begins_an_experiment(own: Own, kept: Kept) -> None:
    kept.store(40)
    told = json.loads(fetched(own, kept, "--format", "json").out)
    assert told == {
        "schema_version": 1,
        "path": TO,
        "n_new": 40,
        "n_total": 40,
        "n_gone": 0,
        "next": f"ftbuild init logged --from {TO}",
    }
    ended = own.run(*told["next"].split()[1:])
    assert (ended.code, ended.out.splitlines()[0]) == (
        0,
        f"{TO}: chat completions that OpenAI stored, 40 of them, 40 with tools",
    )
    assert own.run("show", "+experiment=logged", "-n", "1").code == 0


def test_filters_and_limit_are_the_provider_s(own: Own, kept: Kept) -> None:
    kept.store(2, team="sales")
    wanted = kept.store(4, team="support", tier="a b")
    kept.store(2, model="gpt-4.1", team="support", tier="a b")
    only = ("--model", "gpt-4.1-mini", "--metadata", "team=support", "--metadata=tier=a b")
    assert fetched(own, kept, *only, "--limit", "3").code == 0
    assert ids(own) == wanted[:3]
    kept.asked.clear()
    assert fetched(own, kept, *only, "--limit", "3").out == f"{TO}: 3 stored completions, 0 of them new\n"
    assert kept.asked == []
    assert fetched(own, kept, *only).code == 0
    assert ids(own) == wanted


def test_an_id_that_comes_twice_is_written_once(own: Own, kept: Kept) -> None:
    stored = kept.store(8)
    kept.overlap = 2
    assert fetched(own, kept).code == 0
    assert ids(own) == stored


def test_what_is_stored_meanwhile_comes_too(own: Own, kept: Kept) -> None:
    stored = kept.store(3)

    def meanwhile(path: str) -> None:
        if path.endswith("/messages") and len(stored) < 6:
            stored.extend(kept.store(1))

    kept.page, kept.meanwhile = 2, meanwhile
    assert fetched(own, kept).code == 0
    assert ids(own) == stored


@pytest.mark.parametrize("fault", [500, 429, 503, DROPPED])
@pytest.mark.parametrize("where", ["", "/messages"])
def test_a_fault_that_passes_is_not_noticed(own: Own, kept: Kept, fault: int | str, where: str) -> None:
    stored = kept.store(4)
    kept.faults = [(where, fault)]
    ended = fetched(own, kept)
    assert (ended.code, ended.err, kept.faults) == (0, "", [])
    assert ids(own) == stored


def test_a_fault_that_stays_keeps_what_came_and_the_same_command_goes_on(own: Own, kept: Kept) -> None:
    stored = kept.store(8)
    kept.faults = [(f"/{stored[5]}/messages", 500)] * 6
    assert fetched(own, kept) == Ended(
        4,
        "",
        f"{said(kept)}: not now\n    5 that were fetched are kept.\n    Fix: the same command goes on from here.\n",
    )
    assert not (own.folder / TO).exists()
    assert ids(own, PARTIAL) == stored[:5]
    with (own.folder / PARTIAL).open("ab") as file:
        file.write(b'{"id": "chatcmpl-5", "choi')
    kept.asked.clear()
    assert fetched(own, kept).out.startswith(f"{TO}: 8 stored completions, 8 of them new, 5 of them kept from a run")
    assert ids(own) == stored
    assert [path for path in kept.paths() if path] == [f"/{each}/messages" for each in stored[5:]]
    assert not (own.folder / PARTIAL).exists()


@pytest.mark.parametrize(("ended_by", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_a_run_that_is_cut_off_leaves_no_half_file_and_the_next_goes_on(
    own: Own, kept: Kept, ended_by: signal.Signals, code: int
) -> None:
    stored = kept.store(8)
    reached, goes_on = threading.Event(), threading.Event()

    def meanwhile(path: str) -> None:
        if path == f"/{stored[4]}/messages" and not goes_on.is_set():
            reached.set()
            goes_on.wait(HANGS_SECONDS)

    kept.meanwhile = meanwhile
    process = subprocess.Popen(
        [sys.executable, "-m", "ftbuild", *command(kept)], cwd=own.folder, stderr=subprocess.PIPE
    )
    assert reached.wait(HANGS_SECONDS)
    other = fetched(own, kept)
    process.send_signal(ended_by)
    _, err = process.communicate()
    goes_on.set()
    told = "" if ended_by == signal.SIGKILL else "interrupted; the same command goes on from here\n"
    assert (process.returncode, err.decode()) == (code, told)
    assert other == Ended(2, "", f"{PARTIAL}: another run is fetching into it\n    Fix: wait for it.\n")
    assert (ids(own, PARTIAL), (own.folder / TO).exists()) == (stored[:4], False)
    assert fetched(own, kept).code == 0
    assert ids(own) == stored


def test_a_run_killed_after_the_file_was_replaced_writes_nothing_twice(own: Own, kept: Kept) -> None:
    stored = kept.store(4)
    assert fetched(own, kept).code == 0
    content = (own.folder / TO).read_bytes()
    (own.folder / PARTIAL).write_bytes(content)
    stored += kept.store(1)
    assert fetched(own, kept).code == 0
    assert ids(own) == stored
    assert (own.folder / TO).read_bytes().startswith(content)


class Memory:
    """A provider without a network."""

    def __init__(self, n: int) -> None:
        self.n = n

    def stored_completions(self, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        return (one(f"c{number}", number, "m", dict(asked), f"{number}")[0] for number in range(self.n))

    def stored_messages(self, completion_id: str) -> list[dict[str, Any]] | None:
        return one(completion_id, 0, "m", {}, completion_id)[1]


def into(path: Path, n: int) -> int:
    """Fetch what is stored when there are `n`; return the exit code."""
    try:
        fetch(Memory(n), {}, {}, path, None, lambda _n: None)
    except FtbuildError as error:
        return error.exit_code
    return 0


@pytest.mark.parametrize("fault", ["broken", "full", "killed"])
def test_wherever_the_disk_fails_the_file_is_whole_and_the_next_run_completes_it(
    fault: failpoints.Fault, tmp_path: Path
) -> None:
    states = []
    for n in (2, 4):
        assert into(tmp_path / "whole.jsonl", n) == 0
        states.append((tmp_path / "whole.jsonl").read_bytes())
    for n in itertools.count(1):
        path = tmp_path / f"{n}" / "logged.jsonl"
        assert into(path, 2) == 0
        ended = failpoints.run(partial(into, path, 4), n, fault)
        if not ended.struck:
            break
        assert (ended.code in ((137,) if fault == "killed" else (0, 5)), ended.raised) == (True, "")
        assert path.read_bytes() in states
        assert into(path, 4) == 0
        assert path.read_bytes() == states[1]
        assert [each.name for each in path.parent.iterdir() if not each.name.startswith(".tmp-")] == ["logged.jsonl"]
    assert n > 8


def test_again_fetches_only_what_is_newer_and_leaves_the_lines_before_as_they_are(own: Own, kept: Kept) -> None:
    stored = kept.store(4)
    assert fetched(own, kept).code == 0
    before = (own.folder / TO).read_bytes().rstrip(b"\n")  # as an editor may leave it
    (own.folder / TO).write_bytes(before)
    told = os.stat(own.folder / TO)
    assert fetched(own, kept).out == f"{TO}: 4 stored completions, 0 of them new\n"
    assert os.stat(own.folder / TO).st_mtime_ns == told.st_mtime_ns
    stored += kept.store(3)
    kept.asked.clear()
    assert fetched(own, kept).out == f"{TO}: 7 stored completions, 3 of them new\n"
    assert ids(own) == stored
    assert (own.folder / TO).read_bytes().startswith(before + b"\n")
    assert [path for path in kept.paths() if path] == [f"/{each}/messages" for each in stored[4:]]


def test_a_line_that_was_deleted_stays_deleted_and_a_late_one_is_not_lost(own: Own, kept: Kept) -> None:
    old, *rest = kept.store(3)
    [new] = kept.store(1, created=1_750_000_000 + 2 * LATE_SECONDS)
    assert fetched(own, kept).code == 0
    kept_lines = (own.folder / TO).read_bytes().splitlines(keepends=True)[1:]
    (own.folder / TO).write_bytes(b"".join(kept_lines))
    [late] = kept.store(1, created=1_750_000_000 + 2 * LATE_SECONDS - LATE_SECONDS // 2)
    assert fetched(own, kept).code == 0
    assert ids(own) == [*rest, new, late]
    assert old not in ids(own)


def test_another_query_adds_to_the_file_but_not_to_one_that_was_cut_off(own: Own, kept: Kept) -> None:
    support, sales = kept.store(3, team="support"), kept.store(2, team="sales")
    for each in kept.completions[3:]:
        each["created"] -= 10 * LATE_SECONDS
    assert fetched(own, kept, "--metadata", "team=support").code == 0
    kept.faults = [(f"/{sales[1]}/messages", 400)]
    assert fetched(own, kept, "--metadata", "team=sales").code == 4
    assert fetched(own, kept) == Ended(
        2,
        "",
        f"{PARTIAL}: was begun with other options: base_url {kept.url!r}, metadata {{'team': 'sales'}}\n"
        "    Fix: finish that run with its options, or delete the file.\n",
    )
    assert fetched(own, kept, "--metadata", "team=sales").code == 0
    assert ids(own) == [*support, *sales]


def test_one_that_is_deleted_while_it_is_fetched_is_counted(own: Own, kept: Kept) -> None:
    stored = kept.store(4)
    kept.meanwhile = lambda path: kept.forget(stored[1]) if path.startswith(f"/{stored[1]}") else None
    assert fetched(own, kept).out.startswith(f"{TO}: 3 stored completions, 3 of them new; deleted there meanwhile: 1\n")
    assert ids(own) == [stored[0], *stored[2:]]


def test_messages_that_are_not_to_be_had_are_an_error(own: Own, kept: Kept) -> None:
    kept.store(1)
    kept.messages.clear()
    assert fetched(own, kept).err == f"{said(kept)}: no such route\n    Fix: the same command goes on from here.\n"


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_that_stores_none_says_so(own: Own, kept: Kept, status: int) -> None:
    kept.faults = [("", status)] * 6
    assert fetched(own, kept) == Ended(
        4,
        "",
        f"{said(kept)}: not now ({status}): no stored chat completions are to be had here\n"
        "    Fix: ask a provider that keeps them; an address usually ends in /v1.\n",
    )
    assert list((own.folder / "data").iterdir()) == []


def test_a_refused_key_is_not_repeated(own: Own, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_API_KEY", f"{KEY}-old")
    ended = own.run(*command(kept))
    assert ended == Ended(
        4,
        "",
        f"{said(kept)}: Incorrect API key provided: [key].\n"
        "    Fix: the key came from ACME_API_KEY; it needs the right to read stored completions.\n",
    )


@pytest.mark.parametrize("has_more", [True, None])
def test_a_list_that_ignores_its_cursor_ends(own: Own, kept: Kept, has_more: bool | None) -> None:
    kept.store(2)
    with stub() as served:
        served.answers["GET /chat/completions"] = [(200, {"data": kept.completions, "has_more": has_more})]
        for each in kept.completions:
            page = {"data": kept.messages[each["id"]], "has_more": False}
            served.answers[f"GET /chat/completions/{each['id']}/messages"] = [(200, page)]
        kept.url = served.url
        ended = fetched(own, kept)
        if has_more:
            assert ended.code == 4
            assert "a list that does not move on: it has more, and gives the same page again\n" in ended.err
        else:
            assert (ended.code, len(ids(own))) == (0, 2)
        served.answers["GET /chat/completions"] = [(200, b"<html>")]
        assert own.run(*command(kept)).err.startswith(f"{said(kept)}: an answer that is no list\n")


def test_progress_is_said_now_and_then(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    seconds = [0.0]
    progress = Progress(replace(World.at(tmp_path), now=lambda: seconds[0]))
    for n in range(25):
        progress.tell(1000 * n)
        seconds[0] += 1.0
    progress.close()
    assert capsys.readouterr() == ("", "fetched  10,000 stored completions\nfetched  20,000 stored completions\n")


def test_half_a_letter_is_kept(own: Own, kept: Kept) -> None:
    kept.store(1)
    kept.completions[0]["choices"][0]["message"]["content"] = "\ud83d"
    assert fetched(own, kept).code == 0
    assert lines(own)[0]["choices"] == kept.completions[0]["choices"]


def test_nothing_stored_is_said_and_no_file_is_made(own: Own, kept: Kept) -> None:
    kept.store(1, team="sales")
    assert fetched(own, kept, "--model", "gpt-4.1-mini", "--metadata", "team=support") == Ended(
        1,
        "",
        "fetch: no stored completion of gpt-4.1-mini with team=support\n"
        "    A provider stores the requests that say store=True, for a while.\n"
        "    Fix: ask for less, or store some.\n",
    )
    assert list((own.folder / "data").iterdir()) == []


def test_a_file_of_something_else_is_left_alone(own: Own, kept: Kept) -> None:
    own.write(TO, '{"messages": []}\n')
    ended = fetched(own, kept)
    told = f"{TO}:1: no stored completion: it has no id and choices\n    Fix: fetch into a file of its own.\n"
    assert ended == Ended(1, "", told)
    assert (own.folder / TO).read_text() == '{"messages": []}\n'


FIX = "    Fix: ftbuild fetch stored_completions --to datasets/sources/logged.jsonl\n"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--to", TO], f"fetch takes stored_completions\n{FIX}"),
        (["stored_completions"], f"--to takes a file that ends in .jsonl\n{FIX}"),
        (["stored_completions", "--to", "x.yaml"], f"--to takes a file that ends in .jsonl, not 'x.yaml'\n{FIX}"),
        (["stored_completions", "--to", TO, "a=1"], "fetch takes no settings\n    Fix: say it with its options.\n"),
        (
            ["stored_completions", "--to", TO, "--metadata", "team"],
            "--metadata takes KEY=VALUE\n    Fix: --metadata team=support\n",
        ),
        (
            ["stored_completions", "--to", TO, "--base-url", f"https://me:{KEY}@acme.com/v1"],
            "--base-url takes an address of http or https, without a password or a query\n"
            "    Fix: --base-url https://api.openai.com/v1\n",
        ),
        (
            ["stored_completions", "--to", TO, "--api-key-env", KEY],
            "--api-key-env takes the name of an environment variable, in capitals\n"
            "    The key itself belongs on no command line.\n    Fix: --api-key-env OPENAI_API_KEY\n",
        ),
    ],
)
def test_what_is_typed_wrong_is_told_before_anything_is_asked(own: Own, typed: list[str], said: str) -> None:
    assert own.refused("fetch", *typed) == f"command line: {said}"
    assert not (own.folder / "data").exists()


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", "holds no key\n    Fix: export OPENAI_API_KEY=..., or name another variable: --api-key-env NAME\n"),
        ("sk-a\nb", "holds characters that no key has\n    Fix: copy the key anew.\n"),
    ],
)
def test_a_key_that_is_missing_or_torn_is_told(own: Own, key: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    assert own.refused("fetch", "stored_completions", "--to", TO) == f"OPENAI_API_KEY: {said}"
