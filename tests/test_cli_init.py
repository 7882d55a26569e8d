"""`ftbuild init`: the layout of a file is recognised, and what is written for it builds a dataset."""

import gzip
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from config_fixture import Ended, Own
from pyarrow import ipc, parquet
from training_lines import CITIES, GOOD, in_bytes, supervised

if sys.version_info >= (3, 14):  # the oracle: what Python has of its own from there on
    from compression import zstd
else:
    from backports import zstd


@pytest.fixture
def own(tmp_path: Path) -> Own:
    return Own(tmp_path)


def pairs(n: int = 40, **more: Any) -> list[dict[str, Any]]:
    return [{"question": f"What is {k}?", "answer": f"It is {k}.", **more, "ticket_id": f"t{k // 2}"} for k in range(n)]


SHAREGPT = [
    {"id": k, "conversations": [{"from": "human", "value": f"Hi {k}."}, {"from": "gpt", "value": f"Hello {k}."}]}
    for k in range(40)
]
CHATS = [{**supervised(f"{city}{k}"), "ticket_id": f"t{k}"} for k in range(4) for city in CITIES]
CHAT_LINES = "OpenAI chat lines, 48 of them, 48 with tools, grouped by ticket_id"
PAIRS = "pairs, 40 of them, input 'question', target 'answer', grouped by ticket_id"
LAYOUTS: dict[str, tuple[str, bytes, str]] = {
    "chat": ("chats.jsonl", in_bytes(CHATS), CHAT_LINES),
    "packed": ("a.b.jsonl.gz", gzip.compress(in_bytes(CHATS)), CHAT_LINES),
    "sharegpt": ("s.json", json.dumps(SHAREGPT).encode(), "ShareGPT conversations, 40 of them, no tools"),
    "alpaca": (
        "al.json",
        json.dumps([{"instruction": f"Add {k}.", "input": "", "output": f"{k}"} for k in range(40)], indent=1).encode(),
        "Alpaca instructions, 40 of them, no tools",
    ),
    "pairs": ("p.jsonl", in_bytes(pairs()), PAIRS),
    "other names": (
        "Was & Wie.jsonl",
        in_bytes([{"lang": "de", "von": f"Wie geht {k}?", "zu": f"Gut {k}."} for k in range(40)]),
        "pairs, 40 of them, input 'lang', target 'von', grouped by lang",
    ),
    "csv": (
        "c.csv",
        "user,reply\r\n".encode("utf-16") + "".join(f"hi {k},hello {k}\r\n" for k in range(40)).encode("utf-16-le"),
        "records of CSV, 40 of them, input 'user', target 'reply'",
    ),
    "zstd": ("z.jsonl.zst", zstd.compress(in_bytes(pairs())), PAIRS),
    "stored completions": (
        "stored.jsonl",
        in_bytes([
            {"object": "chat.completion", "choices": [{"message": {"role": "assistant", "content": f"It is {k}."}}],
             "messages": [{"role": "user", "content": f"What is {k}?"}], "tools": None}
            for k in range(40)
        ]),
        "chat completions that OpenAI stored, 40 of them, no tools",
    ),
    "langfuse": (
        "traces.json",
        json.dumps([
            {"type": "GENERATION" if k else "SPAN", "input": f"What is {k}?", "output": f"It is {k}."}
            for k in range(40)
        ]).encode(),
        "observations of Langfuse, 40 of them",
    ),
    "langsmith": (
        "runs.jsonl",
        in_bytes([
            {"run_type": "llm", "inputs": {"messages": [{"type": "human", "content": f"What is {k}?"}]},
             "outputs": {"message": {"type": "ai", "content": f"It is {k}."}}}
            for k in range(40)
        ]),
        "runs of LangSmith, 40 of them",
    ),
    "preferences": (
        "better.jsonl",
        in_bytes([
            {"input": {"messages": [{"role": "user", "content": f"What is {k}?"}]},
             "preferred_output": [{"role": "assistant", "content": f"It is {k}."}],
             "non_preferred_output": [{"role": "assistant", "content": f"dunno {k}"}]}
            for k in range(40)
        ]),
        "OpenAI preference lines, 40 of them",
    ),
    "questions that come back": (
        "again.jsonl",
        in_bytes([
            {"messages": [{"role": "user", "content": ("What is  %d?", "what is %d?")[k % 2] % (k // 2)},
                          {"role": "assistant", "content": f"It is {k}."}]}
            for k in range(80)
        ]),
        "OpenAI chat lines, 80 of them, no tools, grouped by first question",
    ),
    "bfcl": (
        "cases.json",
        in_bytes([
            {"id": f"parallel_{k}", "question": [[{"role": "user", "content": f"What is {k // 2}?"}]],
             "function": [{"name": "f", "description": "Do.", "parameters": {"type": "dict", "properties": {
                 "a": {"type": "integer"}}, "required": ["a"]}}],
             "ground_truth": [{"f": {"a": [k]}}]}
            for k in range(80)
        ]),
        "BFCL cases, 80 of them, 80 with tools, grouped by first question",
    ),
    "functions": (
        "app.py",
        ("def f(a: int) -> int:\n    \"\"\"Do.\n\n    Examples:\n"
         + "".join(f'        "What is {k}?" -> f({k})\n' for k in range(40)) + '    """\n').encode(),
        "examples of functions, 40 of them",
    ),
}  # fmt: skip


@pytest.mark.parametrize("layout", [each for each in LAYOUTS if each != "other names"])
def test_a_file_is_recognised_and_its_experiment_builds(layout: str, own: Own) -> None:
    name, content, said = LAYOUTS[layout]
    (own.folder / "data").mkdir()
    (own.folder / "data" / name).write_bytes(content)
    ended = own.run("init", "mine", "--from", f"data/{name}")
    assert (ended.code, ended.err) == (0, "")
    first, wrote, then = ended.out.splitlines()
    assert first == f"data/{name}: {said}"
    written = (own.folder / wrote.split()[1]).read_text()
    assert ("\n# consent: " in written) == (layout in ("stored completions", "langfuse", "langsmith"))
    assert wrote.startswith("wrote conf/source/")
    assert then == "Look at it: ftbuild show +experiment=mine"
    assert own.run("show", "+experiment=mine", "-n", "1").out.startswith("train, line 1 of ")
    built = own.run("dataset", "+experiment=mine")
    assert built.code == 0, built.err
    assert sum(1 for _ in (own.folder / built.out.strip()).glob("*.jsonl")) == 4
    preferring = ["provider=rehearsal"] if layout == "preferences" else []  # our own server has no dpo
    assert own.run("plan", "+experiment=mine", *preferring).code == 0


def test_it_writes_a_few_lines_that_read_well(own: Own) -> None:
    (own.folder / "chats.jsonl").write_bytes(in_bytes(CHATS))
    own.run("init", "support_tone", "--from", "chats.jsonl")
    assert (own.folder / "conf" / "source" / "chats.yaml").read_text() == (
        "# chats.jsonl: OpenAI chat lines, 48 of them, 48 with tools, grouped by ticket_id.   "
        "ftbuild show +experiment=support_tone\n"
        "kind: chat_jsonl\n"
        "path: chats.jsonl\n"
        "group: ticket_id\n"
        "licence: internal                # goes with every example into its provenance\n"
        "origin: chats.jsonl\n"
    )
    assert (own.folder / "conf" / "experiment" / "support_tone.yaml").read_text() == (
        "# @package _global_\n"
        "# Learns what chats.jsonl shows.   ftbuild +experiment=support_tone\n"
        "defaults:\n"
        "  - /source@dataset.sources.chats: chats\n"
        "  - override /style: plain\n"
        "  - override /goal: closer\n"
        "  - override /evaluation: answers\n"
        "\n"
        "dataset:\n"
        "  split: {validation: 0.25, test: 0.25, seed: 1}     # so that no split of so few is empty\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mine"], "command line: init takes a name and a file\n    Fix: ftbuild init NAME --from FILE\n"),
        (["mine", "--from", "b.jsonl"], "b.jsonl: no such file\n    Fix: the nearest is a.jsonl.\n"),
        (
            ["My Own", "--from", "a.jsonl"],
            "command line: 'My Own' is no name of an experiment: a-z, 0-9 and _\n"
            "    Fix: ftbuild init my_own --from a.jsonl\n",
        ),
    ],
)
def test_bad_use_is_answered_with_the_remedy(own: Own, words: list[str], said: str) -> None:
    (own.folder / "a.jsonl").write_bytes(in_bytes(GOOD["supervised"]))
    assert own.run("init", *words) == Ended(2, "", said)


def test_nothing_is_overwritten(own: Own) -> None:
    (own.folder / "a.jsonl").write_bytes(in_bytes(pairs()))
    own.write("conf/experiment/mine.yaml", "# Mine.\n")
    said = "conf/experiment/mine.yaml: is there already\n    Fix: take another name, or delete it.\n"
    assert own.run("init", "mine", "--from", "a.jsonl") == Ended(2, "", said)
    assert not (own.folder / "conf" / "source").exists()


def test_a_source_that_is_called_so_already_is_left_alone(own: Own) -> None:
    for name, file in (("first", "chats.jsonl"), ("second", "chats.json"), ("third", "tone_pairs.jsonl")):
        (own.folder / file).write_bytes(in_bytes(pairs()))
        assert own.run("init", name, "--from", file).code == 0
    assert sorted(each.stem for each in (own.folder / "conf" / "source").iterdir()) == ["chats", "second", "third"]


def test_an_experiment_of_ours_is_not_hidden(own: Own) -> None:
    (own.folder / "a.jsonl").write_bytes(in_bytes(pairs()))
    said = (
        "command line: ftbuild has conf/experiment/tone_formal.yaml itself\n"
        "    Fix: take another name; yours would hide it.\n"
    )
    assert own.run("init", "tone_formal", "--from", "a.jsonl") == Ended(2, "", said)
    assert not (own.folder / "conf").exists()


def test_a_small_file_is_split_as_its_shares_say(own: Own) -> None:
    (own.folder / "a.jsonl").write_bytes(in_bytes(pairs(30)))
    own.run("init", "mine", "--from", "a.jsonl")
    built = own.folder / own.run("dataset", "+experiment=mine").out.strip()
    counts = {each.stem: len(each.read_text().splitlines()) for each in built.glob("*.jsonl")}
    assert {split: counts[split] for split in ("train", "validation", "test")} == {
        "train": 14,
        "validation": 8,
        "test": 8,
    }


def test_documents_become_passages_of_any_experiment(own: Own) -> None:
    own.write("docs/leave.md", "# Leave\n\nWhat is leave? It is 28 days a year.\n")
    own.write("docs/it/passwords.md", "# IT\n\n## Passwords\n\nNever send one by mail.\n\n## Wifi\n\nAsk the desk.\n")
    (own.folder / "faq.jsonl").write_bytes(in_bytes(pairs()))
    assert own.run("init", "faq", "--from", "faq.jsonl").code == 0
    ended = own.run("init", "ours", "--from", "docs")
    said = (
        "docs: 2 documents, 3 passages\n"
        "wrote conf/source/docs.yaml (5 lines), conf/retrieval/ours.yaml (3 lines)\n"
        "Put passages before the questions of an experiment:\n"
        "ftbuild show +experiment=NAME +source@dataset.sources.docs=docs retrieval=ours\n"
    )
    assert ended == Ended(0, said, "")
    words = ended.out.splitlines()[-1].replace("NAME", "faq").split()[1:]
    assert '<passage name="' in own.run(*words).out


@pytest.mark.parametrize(
    ("file", "fix"),
    [
        (None, "name a file, or a folder of documents (.md, .markdown, .mdx, .qmd, .txt)."),
        ("b.jsonl", "begin with one file, --from a/b.jsonl; a pattern as its source's path reads them all."),
    ],
)
def test_a_folder_without_documents_is_told(own: Own, file: str | None, fix: str) -> None:
    (own.folder / "a").mkdir()
    if file is not None:
        (own.folder / "a" / file).write_bytes(in_bytes(pairs()))
    said = f"a: a folder without documents\n    Fix: {fix}\n"
    assert own.run("init", "mine", "--from", "a") == Ended(1, "", said)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\n", "a.jsonl: is empty\n    Fix: name a file with lines in it.\n"),
        (b'{"messages": [\n', "a.jsonl:1: not JSON (column 15: expecting value)\n"),
        (b'{"a": 1}\n{"a": 2}\n', "a.jsonl: of no layout that ftbuild knows\n    its rows have a.\n"),
        (b"no json\n", "a.jsonl: of no layout that ftbuild knows\n    it holds no JSON objects, and no CSV.\n"),
        (b'{"messages": 5}\n', "a.jsonl:1: messages: 5 is not a list of messages\n"),
    ],
)
def test_a_file_that_nothing_can_be_learnt_from_is_refused(own: Own, content: bytes, said: str) -> None:
    (own.folder / "a.jsonl").write_bytes(content)
    ended = own.run("init", "mine", "--from", "a.jsonl")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(said)
    assert not (own.folder / "conf").exists()


def test_columns_told_apart_by_a_semicolon_are_named(own: Own) -> None:
    (own.folder / "a.csv").write_text("question;answer\nHi;Hello.\nBye;Good bye.\n")
    assert own.run("init", "mine", "--from", "a.csv").err == (
        "a.csv: of no layout that ftbuild knows\n"
        "    its columns are told apart by a semicolon, and those of CSV by a comma: 'question;answer'.\n"
        "    Fix: save it with commas.\n"
    )


def test_lines_that_cannot_be_read_are_told_with_what_was_recognised(own: Own) -> None:
    said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]
    good = [json.dumps({"messages": [{**said[0], "content": f"Hi {n}"}, said[1]]}) for n in range(9)]
    (own.folder / "a.jsonl").write_text("\n".join([*good, *['{"messages": ['] * 4, '{"messages": 5}']) + "\n")
    ended = own.run("init", "mine", "--from", "a.jsonl")
    assert ended.out.startswith(
        "a.jsonl: OpenAI chat lines, 14 of them, no tools; 5 of 14 cannot be read, and a build refuses them\nwrote "
    )
    assert ended.err.count("not JSON (column 15: expecting value)") == 4
    assert "a.jsonl:14: messages: 5 is not a list of messages\n" in ended.err


def test_tables_are_recognised_by_what_they_are(own: Own) -> None:
    turns = [[{"from": "human", "value": f"Hi {k}."}, {"from": "gpt", "value": f"Hello {k}."}] for k in range(40)]
    chats = {name: [json.dumps(each[name]) for each in CHATS[:40]] for name in ("messages", "tools")}
    files = {
        "p.parquet": (pa.Table.from_pylist(pairs()), "rows of Parquet, 40 of them, input 'question', target 'answer'"),
        "s.parquet": (pa.table({"conversations": turns}), "rows of Parquet, 40 of them, layout 'sharegpt'"),
        "c.parquet": (pa.table(chats), "rows of Parquet, 40 of them"),
    }
    for name, (table, said) in files.items():
        parquet.write_table(table, own.folder / name)
        ended = own.run("init", f"from_{name[0]}", "--from", name)
        assert (ended.code, ended.err) == (0, "")
        assert ended.out.startswith(f"{name}: {said}")
    assert own.run("show", "+experiment=from_s", "-n", "1").out.startswith("train, line 1 of ")
    (own.folder / "saved").mkdir()
    with ipc.new_stream(str(own.folder / "saved/data.arrow"), files["p.parquet"][0].schema) as writer:
        writer.write_table(files["p.parquet"][0])
    own.write("saved/state.json", '{"_data_files": [{"filename": "data.arrow"}]}')
    ended = own.run("init", "from_h", "--from", "saved")
    said = "saved: rows of a saved dataset, 40 of them, input 'question', target 'answer', grouped by ticket_id"
    assert (ended.code, ended.err, ended.out.splitlines()[0]) == (0, "", said)
    assert own.run("show", "+experiment=from_h", "-n", "1").out.startswith("train, line 1 of ")
    gone = own.run("plan", "+experiment=from_h", "dataset.sources.saved.path=nowhere")
    assert gone.code == 1
    assert gone.err == (
        f"command line: dataset.sources.saved.path: {own.folder}/nowhere: no such file or directory\n"
        "    Fix: put the folder there, or say where it is: dataset.sources.saved.path=FOLDER.\n"
    )


def test_a_database_is_asked_and_not_guessed_at(own: Own) -> None:
    with closing(sqlite3.connect(own.folder / "a.sqlite")) as connection:
        connection.execute("CREATE TABLE a (b TEXT)")
    ended = own.run("init", "mine", "--from", "a.sqlite")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        "a.sqlite: a database, of which a query says what to learn from\n"
        "    Fix: write a source of the kind sql, with query: SELECT ... ORDER BY ...,"
        " its columns as input and target.\n"
    )
