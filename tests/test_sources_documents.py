"""Documents as a source: read into passages, given to examples, told in provenance; and what is wrong, told in full."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from config_fixture import Own

from ftbuild.digest import of_bytes, of_value
from ftbuild.errors import DataError
from ftbuild.retrieval.grounding import without_context
from ftbuild.runners import data, passages
from ftbuild.stream import Content, whole

FILES = {
    "docs/leave.md": "# Leave\n\n## Carrying over\n\nSix unused days move on; ask ann@example.com.\n\n"
    "## Special days\n\nTwo days for a wedding.\n",
    "docs/travel.md": "# Travel\n\n## Trains\n\nSecond class is booked for trips by train.\n\n## Hotels\n\n"
    "A room costs 90 euros at most.\n",
}
TOPICS = {
    "Carrying over": "leave.md",
    "Special days": "leave.md",
    "Trains": "travel.md",
    "Hotels": "travel.md",
}
PLACES = {
    ("docs/leave.md", 3): "Carrying over",
    ("docs/leave.md", 7): "Special days",
    ("docs/travel.md", 3): "Trains",
    ("docs/travel.md", 7): "Hotels",
}
N = 40


def rows() -> list[dict[str, Any]]:
    """Return questions about each section in turn, a group each."""
    sections = list(TOPICS)
    return [
        {
            "q": f"{sections[n % 4]}, what holds in case {n}?",
            "a": f"What is written, {n}.",
            "d": TOPICS[sections[n % 4]],
            "s": sections[n % 4],
            "g": f"g{n}",
        }
        for n in range(N)
    ]


def lines(values: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in values)


@pytest.fixture
def own(tmp_path: Path) -> Own:
    project = Own(tmp_path)
    for path, text in FILES.items():
        project.write(path, text)
    (tmp_path / "asked.jsonl").write_bytes(lines(rows()))
    project.write(
        "conf/source/docs.yaml",
        """
        # Our documents.   ftbuild show +experiment=mine
        kind: documents
        path: docs/*.md
        licence: internal
        origin: us
        """,
    )
    project.write(
        "conf/source/asked.yaml",
        """
        # Our questions.   ftbuild show +experiment=mine
        kind: pairs
        path: asked.jsonl
        input: q
        target: a
        group: g
        passage: {document: d, section: s}
        licence: CC0-1.0
        origin: us
        """,
    )
    project.experiment(
        "mine",
        """
        # Ours.   ftbuild +experiment=mine
        defaults:
          - /source@dataset.sources.docs: docs
          - /source@dataset.sources.asked: asked
          - override /style: plain
          - override /goal: closer
          - override /evaluation: answers
        dataset: {split: {validation: 0.2, test: 0.3, seed: 4}}
        retrieval: {documents: docs, n_passages: 2}
        """,
    )
    return project


def shown(own: Own, *words: str) -> list[dict[str, Any]]:
    ended = own.run("show", "+experiment=mine", "-n", "99", "--format", "json", *words)
    assert ended.code == 0, ended.err
    return list(json.loads(ended.out)["examples"])


def test_an_example_is_shown_with_its_passages_and_where_they_stand(own: Own) -> None:
    [first, *_] = shown(own, "--split", "test")
    ended = own.run("show", "+experiment=mine", "-n", "1", "--split", "test")
    question = first["messages"][-2]["content"]
    assert ended.out.startswith("test, line 1 of ")
    places = [
        f"{each['path'].removeprefix('docs/')}:{each['line']}{' (gold)' * each['gold']}" for each in first["passages"]
    ]
    assert f"  passages   {', '.join(places)}\n" in ended.out
    assert question.startswith('<passage name="Leave, ')
    assert question.endswith("?")
    assert first["transforms"] == ["grounded"]


def test_the_gold_passage_is_always_given_in_what_is_learnt_from(own: Own) -> None:
    for split in ("train", "validation"):
        for each in shown(own, "--split", split):
            [told] = [PLACES[passage["path"], passage["line"]] for passage in each["passages"] if passage["gold"]]
            question = each["messages"][-2]["content"]
            assert told == question.rpartition("\n\n")[2].partition(",")[0]
            assert question.count(f', {told}">\n') == 1


def test_a_build_tells_how_often_the_gold_passage_is_found(own: Own) -> None:
    ended = own.run("dataset", "+experiment=mine")
    assert ended.code == 0, ended.err
    n = {split: len(shown(own, "--split", split)) for split in ("train", "validation", "test")}
    assert "docs          4 passages of 2 files" in ended.err + ended.out
    [built] = (own.folder / "datasets" / "built" / "mine").iterdir()
    card = (built / "card.md").read_text(encoding="utf-8")
    assert "| docs |  |  |  | docs/*.md | passages | internal | us |\n" in card
    assert (
        "| passages of docs given with a question: 2 | train | validation | test |\n|---|---|---|---|\n"
        f"| the one its answer is taken from is among them | {n['train']} of {n['train']} "
        f"| {n['validation']} of {n['validation']} | {n['test']} of {n['test']} |\n"
    ) in card
    [place, *_] = [json.loads(line) for line in (built / "provenance.jsonl").read_bytes().splitlines()]
    keys = ["documents", "n_passages", "gold_in", "without_gold"]
    assert place["because"]["grounded"] == [f"retrieval.{key}" for key in keys]
    assert [set(each) for each in place["passages"]] == [{"source", "path", "line", "licence", "gold"}] * 2
    blamed = own.run("blame", f"{built}/train.jsonl:1").out
    for each in place["passages"]:
        gold = ", the gold one" * each["gold"]
        assert f"  given     {each['path']}:{each['line']}{gold}\n" in blamed
        told = json.loads(own.run("blame", f"{each['path']}:{each['line']}", "--format", "json").out)
        assert place["id"] in {one["id"] for one in told["examples"]}


def test_a_document_can_be_taken_back(own: Own) -> None:
    assert own.run("dataset", "+experiment=mine").code == 0
    told = own.run("retract", "docs").out
    assert told.startswith("source docs, docs/leave.md, docs/travel.md: 4 passages read, in the prompts of 40 examples")
    assert "Edit: conf/experiment/mine.yaml: retrieval: {documents: null}\n" in told
    assert "Or without the edit: ftbuild +experiment=mine retrieval.documents=null\n" in told
    told = own.run("retract", "docs/leave.md:7").out
    assert told.startswith("docs/leave.md:7: 1 passage read, in the prompts of ")
    n = len(shown(own))
    assert f"; {n} left to learn from" in told
    assert "Edit: docs/leave.md: delete the passage at line 7, and what asks for it\n" in told
    assert "sed" not in told
    assert own.run("retract", "docs/leave.md:8").err == (
        "command line: nothing was learnt from 'docs/leave.md:8'\n"
        "    The file was read, and its line 8 holds no example and begins no passage.\n"
        "    Fix: check the number.\n"
    )


def test_without_retrieval_the_documents_are_not_even_read(own: Own) -> None:
    (own.folder / "docs" / "leave.md").write_bytes(b"\xff")
    found = shown(own, "retrieval.documents=null")
    assert all("passages" not in each and each["transforms"] == [] for each in found)
    assert found[0]["messages"][-2]["content"].endswith("?")


def test_sources_can_be_left_without_passages(own: Own) -> None:
    assert all(each["passages"] for each in shown(own))
    own.write("conf/source/chat.yaml", "# Chat.   ftbuild show +experiment=mine\ndefaults: [asked]\npath: chat.jsonl\n")
    (own.folder / "chat.jsonl").write_bytes(lines([{**each, "q": f"Hi {each['q']}", "g": "c"} for each in rows()]))
    found = shown(own, "+source@dataset.sources.chat=chat", "retrieval.sources=[asked]")
    assert {each["source"]: bool(each["passages"]) for each in found} == {"asked": True, "chat": False}


def test_a_question_on_no_passage_is_told_with_its_line(own: Own) -> None:
    broken = rows()
    broken[4]["s"] = "Carrying on"
    broken[6]["d"] = "travels.md"
    (own.folder / "asked.jsonl").write_bytes(lines(broken))
    ended = own.run("dataset", "+experiment=mine")
    assert (ended.code, ended.err.count("unknown-passage")) == (1, 2)
    assert (
        "asked.jsonl:5: no section of leave.md is called 'Carrying on'\n"
        "    Fix: the nearest is 'Carrying over'.    unknown-passage\n"
        "asked.jsonl:7: no document is called 'travels.md'\n"
        "    Fix: the nearest is 'travel.md'.    unknown-passage"
    ) in ended.err


def test_a_field_that_is_not_there_is_told_and_null_is_not_known(own: Own) -> None:
    some = rows()
    some[0]["d"] = some[0]["s"] = None
    del some[1]["s"]
    (own.folder / "asked.jsonl").write_bytes(lines(some))
    ended = own.run("dataset", "+experiment=mine")
    assert ended.code == 1
    there = "the line has q, a, d, g; the source's YAML says which to take."
    assert f"asked.jsonl:2: no field 's'\n    Fix: {there}    missing-field" in ended.err
    (own.folder / "asked.jsonl").write_bytes(lines([some[0], *some[2:]]))
    found = [each for split in ("train", "validation", "test") for each in shown(own, "--split", split)]
    assert [each["source_line"] for each in found if "gold" not in each["passages"][0]] == [1]


def test_what_is_wrong_with_a_document_is_told_with_its_line(own: Own) -> None:
    (own.folder / "docs" / "leave.md").write_bytes(b"# Leave\n\nna\xefve\n")
    ended = own.run("dataset", "+experiment=mine")
    assert ended.code == 1
    assert "docs/leave.md:3: not UTF-8 (byte 3 of the line)\n    Fix: save it as UTF-8.    not-utf8" in ended.err
    for path in FILES:
        (own.folder / path).write_bytes(b"\n")
    ended = own.run("dataset", "+experiment=mine")
    assert ended.code == 1
    assert "docs/leave.md: warning: no text in the file\n" in ended.err
    assert "docs/*.md: no passage in the documents    empty-source" in ended.err


def test_settings_that_do_not_fit_are_told(own: Own) -> None:
    assert own.refused("plan", "+experiment=mine", "retrieval.documents=doks") == (
        "command line: retrieval.documents: no source 'doks' of the kind documents in dataset.sources\n"
        "    Fix: the nearest is 'docs'; there are docs.\n"
    )
    assert own.refused("plan", "+experiment=mine", "~dataset.sources.docs") == (
        "conf/experiment/mine.yaml:10: retrieval.documents: no source 'docs' of the kind documents in dataset.sources\n"
        "    Fix: put `- /source@dataset.sources.docs: OPTION` into the defaults of the experiment.\n"
    )
    assert own.refused("plan", "+experiment=mine", "retrieval.sources=[docs]") == (
        "command line: retrieval.sources: no source 'docs' of examples in dataset.sources\n    Fix: there are asked.\n"
    )
    assert own.refused("plan", "+experiment=mine", "~dataset.sources.asked") == (
        "command line: dataset.sources has documents and no examples\n    Fix: take an experiment.\n"
    )
    assert own.refused("plan", "+experiment=mine", "+dataset.sources.docs.only=test") == (
        "conf/source/docs.yaml: dataset.sources.docs: a source of the kind documents takes no only\n"
    )
    assert own.refused("plan", "+experiment=mine", "+dataset.sources.asked.passage_characters=900") == (
        "conf/source/asked.yaml: dataset.sources.asked: a source of the kind pairs takes no passage_characters\n"
    )


def test_why_names_the_key_of_retrieval(own: Own) -> None:
    assert own.run("dataset", "+experiment=mine").code == 0
    why = own.run("why", "dataset", "+experiment=mine", "retrieval.n_passages=3").out
    assert "    retrieval.n_passages   2 -> 3     command line\n" in why
    why = own.run("why", "docs", "+experiment=mine", "+dataset.sources.docs.passage_characters=300").out
    assert "    dataset.sources.docs.passage_characters   None -> 300     command line\n" in why
    own.write("docs/travel.md", FILES["docs/travel.md"].replace("90 euros", "95 euros"))
    why = own.run("why", "docs", "+experiment=mine").out
    assert "    docs/travel.md:9\n  - A room costs 90 euros at most.\n  + A room costs 95 euros at most.\n" in why


def read(settings: dict[str, Any], folder: Path, name: str, jobs: int = 1) -> Content:
    """Return what the action of a source makes."""
    files = sorted(folder.glob(settings["path"]))
    named = [[path.relative_to(folder).as_posix(), str(path)] for path in files]
    digest = of_bytes(files[0].read_bytes())
    given: dict[str, Any] = {"path": str(files[0]), "jobs": jobs}
    if settings["kind"] == "documents":
        given["files"] = named
        digest = of_value(["files.v1", [[path, of_bytes(Path(file).read_bytes())] for path, file in named]])
    made = data.ingest({"source": settings, "name": name, "bytes": digest}, {}, given).outputs
    return made["passages.jsonl" if settings["kind"] == "documents" else "examples.jsonl"]


DOCS = {"kind": "documents", "path": "docs/*.md", "licence": "internal"}
ASKED = {
    "kind": "pairs",
    "path": "asked.jsonl",
    "input": "q",
    "target": "a",
    "group": "g",
    "licence": "CC0-1.0",
    "passage": {"document": "d", "section": "s"},
}
RECIPE: dict[str, Any] = {
    "split": {"validation": 0.2, "test": 0.3, "seed": 4},
    "limit": None,
    "system": "",
    "language": "en",
    "expand": [],
    "licences": {"asked": "CC0-1.0", "docs": "internal"},
    "retrieval": {
        "documents": "docs",
        "n_passages": 2,
        "gold_in": ["train", "validation"],
        "without_gold": 0,
        "seed": 0,
    },
}


class Pieces:
    """Bytes that come in small pieces, so that there are many partitions of them."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def pieces(self) -> Iterator[bytes]:
        yield from self._content.splitlines(keepends=True)


@pytest.mark.slow
def test_the_bytes_do_not_depend_on_how_many_processes_make_them(own: Own) -> None:
    docs = [read(DOCS, own.folder, "docs", jobs) for jobs in (1, 2)]
    assert docs[0] == docs[1]
    asked = Pieces(whole(read(ASKED, own.folder, "asked")))
    inputs = {"asked": asked, "docs": docs[0], "docs.index": indexed(docs[0])}
    made = [data.dataset(RECIPE, inputs, {"jobs": jobs}) for jobs in (1, 2)]
    assert made[0].note == made[1].note
    outputs = [{name: whole(content) for name, content in each.outputs.items()} for each in made]
    assert outputs[0] == outputs[1]
    assert json.loads(outputs[0]["retrieval.json"])["gold_passage"]["train"]["is_given"]


def indexed(docs: Content) -> Content:
    return passages.index({}, {"passages": docs}, {}).outputs["index.npz"]


def built(own: Own, values: list[dict[str, Any]], **settings: Any) -> dict[str, bytes]:
    (own.folder / "asked.jsonl").write_bytes(lines(values))
    docs = read(DOCS, own.folder, "docs")
    inputs = {"docs": docs, "docs.index": indexed(docs), "asked": read(ASKED, own.folder, "asked")}
    made = data.dataset({**RECIPE, **settings}, inputs, {})
    return {name: whole(content) for name, content in made.outputs.items()}


def test_leaks_and_duplicates_are_of_questions_and_not_of_passages(own: Own) -> None:
    """One question on two passages is one question: other passages before it make it no other."""
    values = rows()
    split = {
        json.loads(line)["group"]: json.loads(line)["split"]
        for line in built(own, values)["provenance.jsonl"].splitlines()
    }
    tested = next(each for each in values if split[each["g"]] == "test")
    learnt = next(each for each in values if split[each["g"]] == "train" and each["s"] != tested["s"])
    learnt["q"] = tested["q"].upper()
    with pytest.raises(DataError, match="same input as asked"):
        built(own, values)
    values = rows()
    again = {**values[0], "s": "Special days"}
    assert json.loads(built(own, [*values, again])["dropped.json"]) == {"duplicate": 1}


def test_what_is_redacted_has_one_label_in_passages_and_question(own: Own) -> None:
    values = rows()
    for each in values:
        each["q"] = "Carrying over: is bob@example.com or ann@example.com right, and " + each["q"]
    made = built(own, values, redact={"email": True})
    for split in ("train", "validation", "test"):
        for line in made[f"{split}.jsonl"].splitlines():
            asked = json.loads(line)["messages"][0]["content"]
            assert "@" not in asked
            assert "is [email] or [email_2] right" in asked
            assert "move on" not in asked or "move on; ask [email_2]." in asked


def test_short_forms_are_written_out_in_questions_and_not_in_documents(own: Own) -> None:
    made = built(own, rows(), expand=[["days", "dates"]])
    asked = [json.loads(line)["messages"][0]["content"] for line in made["train.jsonl"].splitlines()]
    assert any("Special dates, what holds" in each for each in asked)
    assert all("Special dates" not in each.rpartition("\n\n")[0] for each in asked)
    assert any("Six unused days move on" in each for each in asked)


def test_what_is_known_of_the_search_is_told_of_each_split(own: Own) -> None:
    """Every question begins with the heading of its section, so that the search finds that first, but for some."""
    values = rows()
    told = json.loads(built(own, values)["retrieval.json"])["gold_passage"]
    found = {"recall@1": 1.0, "recall@3": 1.0, "recall@5": 1.0, "recall@10": 1.0, "mrr": 1.0}
    assert {split: each["search"] for split, each in told.items()} == dict.fromkeys(
        ("train", "validation", "test"), found
    )
    for each in values:
        each["q"] = f"Trains, what holds in case {each['g']}?"
    lost = json.loads(built(own, values)["retrieval.json"])["gold_passage"]["test"]["search"]
    n = dict.fromkeys(TOPICS, 0)
    split = {
        json.loads(line)["group"]: json.loads(line)["split"]
        for line in built(own, values)["provenance.jsonl"].splitlines()
    }
    for each in values:
        n[each["s"]] += split[each["g"]] == "test"
    assert lost["recall@1"] == n["Trains"] / sum(n.values())


def test_a_line_can_be_asked_without_its_passages(own: Own) -> None:
    plain = {each["id"]: each for each in map(json.loads, bare(own, rows())["test.jsonl"].splitlines())}
    for line in map(json.loads, built(own, rows())["test.jsonl"].splitlines()):
        assert line["messages"] != plain[line["id"]]["messages"]
        assert without_context(line["messages"], line["context"]) == plain[line["id"]]["messages"]


def bare(own: Own, values: list[dict[str, Any]]) -> dict[str, bytes]:
    """Return the dataset without retrieval."""
    (own.folder / "asked.jsonl").write_bytes(lines(values))
    settings = {name: value for name, value in RECIPE.items() if name != "retrieval"}
    made = data.dataset(settings, {"asked": read(ASKED, own.folder, "asked")}, {})
    return {name: whole(content) for name, content in made.outputs.items()}
