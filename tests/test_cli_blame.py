"""`ftbuild blame` and `ftbuild retract`: from a line to its source and to what learnt from it, and back."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from config_fixture import CONF, TONE, Own

from ftbuild.cli.candidates import candidates
from ftbuild.descent import datasets
from ftbuild.digest import of_value
from ftbuild.store.store import Record, Store
from ftbuild.world import World

PAIRS = [
    {"casual": f"hey pls send file {n} to ann{n}@example.com", "formal": f"Please send file {n}.", "thread": f"t{n}"}
    for n in range(1, 61)
]
MODEL = "ft:small:ftbuild:mine:Xq3"


class Mine:
    """A project with a built dataset, a job that learnt from it and a job under way, written once."""

    def __init__(self, folder: Path) -> None:
        self.own = Own(folder)
        self.own.write(
            "conf/source/ours.yaml",
            """
            # Ours.   ftbuild show +experiment=mine
            kind: pairs
            path: data/ours.jsonl
            input: casual
            target: formal
            group: thread
            licence: internal
            origin: Written for a test
            """,
        )
        self.own.experiment(
            "mine",
            """
            # Ours.   ftbuild +experiment=mine
            defaults:
              - tone_formal
              - /source@dataset.sources.ours: ours
              - /source@dataset.sources.more: ours
              - override /dataset: redacted
              - override /goal: right_tone
            dataset:
              sources: {pairs: null, unseen: null, more: {path: data/more.jsonl, share: 0.1}}
              split: {validation: 0.2, test: 0.2, seed: 2}
            """,
        )
        (folder / "data").mkdir()
        self.write("ours", [*PAIRS, PAIRS[9]])
        more = [{**each, "casual": f"{each['casual']} now", "thread": f"m{each['thread']}"} for each in PAIRS[:40]]
        self.write("more", [PAIRS[0], *more])
        ended = self.own.run("dataset", "+experiment=mine")
        assert ended.code == 0, ended.err
        self.err = ended.err
        self.folder = folder / ended.out.strip()
        self.store = Store(folder / "outputs" / ".ftbuild")
        self._job()

    def write(self, name: str, lines: list[dict[str, str]]) -> None:
        text = "".join(json.dumps(each) + "\n" for each in lines)
        (self.own.folder / "data" / f"{name}.jsonl").write_text(text)

    def provenance(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "provenance.jsonl").read_text().splitlines()]

    def first(self, split: str, source: str = "ours") -> dict[str, Any]:
        return next(each for each in self.provenance() if (each["split"], each["source"]) == (split, source))

    def json(self, *words: str) -> dict[str, Any]:
        ended = self.own.run(*words, "--format", "json")
        assert (ended.code, ended.err) == (0, "")
        return json.loads(ended.out)  # type: ignore[no-any-return]

    def _job(self) -> None:
        [render] = [each for each in self.store.manifests() if each["kind"] == "render"]
        told = {"job_id": "ftjob-1", "status": "succeeded", "fine_tuned_model": MODEL, "base_model": "small"}
        outputs = {"job.json": self.store.put(json.dumps(told).encode())}
        roles = {"training_file": "train.jsonl", "validation_file": "validation.jsonl"}
        inputs = [[role, render["outputs"][name]] for role, name in roles.items()]
        preimage = {"kind": "job", "version": 1, "settings": {}, "inputs": inputs}
        record = Record(of_value(preimage), "job", "job", outputs, "ftjob-1  3 steps", 100.0, 1.0)
        self.store.record(record, {"preimage": preimage, "command": "ftbuild +experiment=mine model=tiny"})
        journal = [
            {"v": 1, "at": 1.0, "event": "intent", "command": [], "experiment": "mine"},
            {"v": 1, "at": 2.0, "event": "launched", "job_id": "ftjob-2"},
        ]
        path = self.store.folder / "ledger" / f"{'e' * 64}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(each) + "\n" for each in journal))


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Mine:
    return Mine(tmp_path_factory.mktemp("mine"))


def test_provenance_tells_every_transform_and_the_keys_that_asked_for_it(mine: Mine) -> None:
    first = mine.first("train", "more")
    line = (mine.folder / "train.jsonl").read_bytes().split(b"\n")[first["number"] - 1]
    assert hashlib.sha256(line).hexdigest() == first["digest"]
    assert first["transforms"] == ["redact", "system", "expand"]
    assert (first["redacted"], first["licence"]) == ({"email": 1}, "internal")
    assert first["because"] == {
        "source": ["dataset.sources.more"],
        "split": ["dataset.split.validation", "dataset.split.test", "dataset.split.seed"],
        "mix": ["dataset.sources.more.share"],
        "redact": ["dataset.redact.email"],
        "system": ["style.system"],
        "expand": ["style.expand", "style.language"],
    }


def test_no_file_of_a_built_dataset_holds_what_was_redacted_and_the_counts_are_told(mine: Mine) -> None:
    assert [path.name for path in mine.folder.iterdir() if b"example.com" in path.read_bytes()] == []
    n = sum(sum(each["redacted"].values()) for each in mine.provenance())
    assert f"- {n} taken out of the texts: email\n" in (mine.folder / "card.md").read_text()
    assert f"{n} email, no problems" in " ".join(mine.err.split())
    [dataset] = [each for each in mine.store.manifests() if each["kind"] == "dataset"]
    told = json.loads(mine.store.get(dataset["outputs"]["dropped.json"]))
    assert told["email redacted"] == n
    assert all(b"example.com" not in mine.store.get(digest) for digest in dataset["outputs"].values())


@pytest.mark.parametrize("how", ["line of a built file", "line of the source", "id", "digest", "eight digits"])
def test_every_name_of_an_example_finds_it(mine: Mine, how: str) -> None:
    first = mine.first("train")
    word = {
        "line of a built file": f"{mine.folder / 'train.jsonl'}:{first['number']}",
        "line of the source": f"data/ours.jsonl:{first['line']}",
        "id": first["id"],
        "digest": first["digest"],
        "eight digits": first["digest"][:8],
    }[how]
    told = mine.json("blame", word)
    assert told["held"]
    [example] = told["examples"]
    assert (example["id"], example["path"], example["line"]) == (first["id"], "data/ours.jsonl", first["line"])
    [dataset] = example["datasets"]
    assert (dataset["split"], dataset["number"], dataset["line_digest"]) == ("train", first["number"], first["digest"])
    assert [(job["job_id"], job["status"], job["model"], job["used_for"]) for job in dataset["jobs"]] == [
        ("ftjob-1", "succeeded", MODEL, "learning"),
        ("ftjob-2", "under way", None, "learning"),
    ]


def test_blame_reads_as_sentences(mine: Mine) -> None:
    first = mine.first("train")
    ended = mine.own.run("blame", first["id"], columns=150)
    assert ended.out == (
        f"example {first['id']}\n"
        f"  from      data/ours.jsonl:{first['line']}, source ours, licence internal\n"
        f"  group     {first['group']}\n"
        "  done      redact (1 email), by dataset.redact.email\n"
        "  done      system, by style.system\n"
        "  done      expand, by style.expand, style.language\n"
        "  split     train, by dataset.split.validation, dataset.split.test, dataset.split.seed\n"
        f"  dataset   {mine.folder.name} of mine: train, line {first['number']}, sha256 {first['digest'][:12]}\n"
        "  job       ftjob-1 learnt from it\n"
        f"  model     {MODEL}\n"
        "  job       ftjob-2 is under way and may be learning from it\n"
    )


def test_what_only_tests_was_never_learnt_from(mine: Mine) -> None:
    said = mine.own.run("blame", mine.first("test")["id"]).out
    assert "  job       ftjob-1 never saw it: it only tests\n" in said
    assert MODEL not in said


def test_a_line_kept_elsewhere_is_told_with_the_place_that_was_kept(mine: Mine) -> None:
    told = mine.json("blame", "data/ours.jsonl:61")
    assert (told["held"], [each["line"] for each in told["examples"]]) == (False, [10])
    said = mine.own.run("blame", "data/ours.jsonl:61").out
    assert said.startswith(
        "data/ours.jsonl:61 is in no dataset itself: the same is said elsewhere, and an example is kept once.\n\n"
    )


def test_the_same_paths_are_found_from_another_folder(mine: Mine) -> None:
    line = mine.first("train")["line"]
    ended = mine.own.run("blame", f"ours.jsonl:{line}", below="data")
    assert (ended.code, ended.out.splitlines()[1]) == (
        0,
        f"  from      data/ours.jsonl:{line}, source ours, licence internal",
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["blame"],
            "blame takes a digest or FILE:LINE\n    Fix: ftbuild blame datasets/built/NAME/DIGEST/train.jsonl:1\n",
        ),
        (
            ["blame", "abc"],
            "'abc' is neither a digest nor FILE:LINE\n    A digest has 8 to 64 of the digits 0-9 and a-f.\n"
            "    Fix: ftbuild blame datasets/built/NAME/DIGEST/train.jsonl:1\n",
        ),
        (
            ["blame", "data/ours.jsonl:999"],
            "'data/ours.jsonl:999' is in none of the 1 dataset of the store\n"
            "    A line may be left out as a duplicate, by a limit or by a share, or its dataset was never built here."
            "\n"
            "    Fix: give more digits or the line's number, or build it: ftbuild dataset +experiment=NAME\n",
        ),
        (
            ["retract"],
            "retract takes a source or PATH:LINE\n    Fix: ftbuild retract NAME, as in dataset.sources.NAME\n",
        ),
        (
            ["retract", "our"],
            "no source 'our' was ever read\n    Fix: the nearest is ours; the store has read more, ours.\n",
        ),
        (
            ["retract", "data/our.jsonl:3"],
            "'data/our.jsonl' was never read as a source\n"
            "    Fix: the nearest is data/ours.jsonl; the store has read data/more.jsonl, data/ours.jsonl.\n",
        ),
        (
            ["retract", "data/ours.jsonl:99"],
            "nothing was learnt from 'data/ours.jsonl:99'\n"
            "    The file was read, and its line 99 holds no example and begins no passage.\n"
            "    Fix: check the number.\n",
        ),
    ],
)
def test_what_cannot_be_found_is_answered_with_the_remedy(mine: Mine, words: list[str], said: str) -> None:
    assert mine.own.refused(*words) == f"command line: {said}"


def test_a_store_without_datasets_says_how_to_get_one(tmp_path: Path) -> None:
    assert Own(tmp_path).refused("blame", "data/ours.jsonl:1") == (
        "command line: no dataset in the store to look for 'data/ours.jsonl:1' in\n"
        "    Fix: build one: ftbuild dataset +experiment=NAME\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_line_withdrawn_names_what_learnt_from_it_and_the_edit(mine: Mine) -> None:
    first = mine.first("train")
    n = sum(each["split"] == "train" for each in mine.provenance())
    ended = mine.own.run("retract", f"data/ours.jsonl:{first['line']}", columns=150)
    assert ended.out == (
        f"data/ours.jsonl:{first['line']}: 1 example read, 1 of them in 1 dataset\n"
        f"  dataset   {mine.folder.name} of mine: 1 train; {n - 1} left to learn from\n"
        "  job       ftjob-1 must be trained again\n"
        "  job       ftjob-2 is under way and may be learning from it: ftbuild cancel ftjob-2\n"
        f"  model     {MODEL} has learnt from it: delete it at its provider\n"
        "\n"
        f"Edit: data/ours.jsonl: delete line {first['line']}\n"
        f"Then: sed -i {first['line']}d data/ours.jsonl\n"
        "      ftbuild +experiment=mine model=tiny\n"
        "Nothing was written. What lies at a provider, and copies of datasets/built, are not ours to delete.\n"
    )


def test_the_edit_of_a_line_runs_where_it_is_asked_for(mine: Mine, tmp_path: Path) -> None:
    line = mine.first("train")["line"]
    below = mine.own.run("retract", f"../data/ours.jsonl:{line}", below="notes").out
    assert f"sed -i {line}d ../data/ours.jsonl\n" in below
    elsewhere = Own(tmp_path)
    assert elsewhere.run("dataset", TONE, "dataset.limit=60").code == 0
    [folder] = (tmp_path / "datasets" / "built" / "tone_formal").iterdir()
    first = json.loads((folder / "provenance.jsonl").read_text().splitlines()[0])
    path = f"datasets/sources/tone/{Path(first['path']).name}"
    assert f"sed -i {first['line']}d {CONF.parent / path}\n" in elsewhere.run("retract", f"{path}:{first['line']}").out


def test_a_source_withdrawn_names_the_edit_and_the_override(mine: Mine) -> None:
    told = mine.json("retract", "ours")
    [dataset] = told["datasets"]
    mixed = [each["split"] for each in mine.provenance() if each["source"] == "ours"]
    assert dataset["counts"] == {split: mixed.count(split) for split in ("train", "validation", "test")}
    assert told["models"] == [MODEL]
    assert told["edits"] == ["conf/experiment/mine.yaml: dataset: {sources: {ours: null}}"]
    assert told["commands"] == ["ftbuild +experiment=mine model=tiny"]
    assert told["without_editing"] == ["ftbuild +experiment=mine model=tiny ~dataset.sources.ours"]
    assert told["same_elsewhere"] == ["data/more.jsonl:1"]


def test_what_only_tests_leaves_the_job_as_it_is(mine: Mine) -> None:
    said = mine.own.run("retract", f"data/ours.jsonl:{mine.first('test')['line']}").out
    assert "  job       ftjob-1 stays: it never saw it, but its test results change\n" in said
    assert "  model " not in said


def test_of_two_that_say_the_same_the_other_is_named(mine: Mine) -> None:
    said = mine.own.run("retract", "data/more.jsonl:1", columns=120).out
    assert "  note      the same is said at data/ours.jsonl:1, and would take its place\n" in said


def test_neither_writes_anything(mine: Mine) -> None:
    def files() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in mine.own.folder.rglob("*") if path.is_file()}

    before = files()
    mine.own.run("blame", mine.first("train")["id"])
    mine.own.run("retract", "ours")
    assert files() == before


def test_a_file_that_has_changed_since_is_told(tmp_path: Path) -> None:
    changing = Mine(tmp_path)
    changing.write("ours", [{**PAIRS[0], "thread": "new"}, *PAIRS])
    said = changing.own.run("retract", "data/ours.jsonl:2").out
    assert "  note      data/ours.jsonl has changed since it was read: look for the line first\n" in said


def test_the_same_lines_from_other_places_are_told_anew(tmp_path: Path) -> None:
    moving = Mine(tmp_path)
    before = moving.first("train")
    moving.write("ours", [PAIRS[5], *PAIRS])
    ended = moving.own.run("dataset", "+experiment=mine")
    assert moving.folder == moving.own.folder / ended.out.strip()
    assert (moving.first("train")["digest"], moving.first("train")["line"]) == (before["digest"], before["line"] + 1)
    assert len(datasets(moving.store, World.at(tmp_path))) == 2


def test_a_dataset_of_the_same_bytes_is_one_however_often_it_was_made(tmp_path: Path) -> None:
    again = Mine(tmp_path)
    assert again.own.run("dataset", "+experiment=mine", "dataset.limit=1000").code == 0
    assert [each["kind"] for each in again.store.manifests()].count("dataset") == 2
    [one] = datasets(again.store, World.at(tmp_path))
    assert one.experiments == ["mine"]
    said = again.own.run("blame", again.first("train")["id"]).out
    assert said.count("  dataset  ") == 1


def test_the_sources_that_were_read_are_completed(mine: Mine) -> None:
    assert [each.word for each in candidates(["retract"], "o", mine.own.folder)] == ["ours"]
