"""`ftbuild sample`, as people run it: logged answers at a rehearsal's models, and the file that a person gets."""

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from config_fixture import Own
from embedded_fixture import running, until
from hosted_fixture import AT_ELSEWHERE, profile
from project_fixture import Project, project_in
from rehearsal_fixture import REHEARSED, recorded, stop_server

from ftbuild.improve import cells, review
from ftbuild.improve.cells import Row

SECRETS = ("mia.kuhn@example.org", "+49 30 1234567")
CONSENT = "Customers, by section 4 of the terms of 2026-03-01"
SOURCE = """\
# What people asked at the desk in October.   ftbuild sample {name} +experiment=tone_formal
kind: langfuse
path: {name}.jsonl
group: trace_id
licence: internal
origin: Export of the desk, October 2026
"""
SAID = [
    ("hey can u send it by friday? mail me at mia.kuhn@example.org", "Could you write to mia.kuhn@example.org?"),
    ("call me on +49 30 1234567 asap", "Please call me on +49 30 1234567 at your convenience."),
    ("=SUM(A1) doesn't work lol", "The formula =SUM(A1)\ndoes not work."),
    ("明日の会議、30分遅らせてもらえる？", "明日の会議を三十分遅らせていただけますでしょうか。"),
    ("Call me on +49 30 1234567, ASAP!", "Please call me."),
]
FILLED = [("keep", ""), ("drop", ""), ("edit", "=SUM(A1) fails."), ("", "")]
SPOILT = ("i was never satisfied", "I was not satisfied.")


def source(project: Project | Own, name: str, said: Sequence[tuple[str, str]], consent: str | None = CONSENT) -> None:
    """Write a source of traces into the project."""
    kept = [
        {
            "id": f"o{number}",
            "type": "GENERATION",
            "trace_id": f"t{number}",
            "score": 1 if (asked, answer) == SPOILT else 5,
            "input": [{"role": "user", "content": asked}],
            "output": {"role": "assistant", "content": answer},
        }
        for number, (asked, answer) in enumerate(said)
    ]
    lines = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in kept)
    (project.folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    path = project.folder / "conf" / "source" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    keep = "keep:\n  praised: {field: score, at_least: 4}\n"
    path.write_text(SOURCE.format(name=name) + keep + (f"consent: {consent}\n" if consent else ""), encoding="utf-8")


def proposal(project: Project, name: str) -> Path:
    return project.folder / "outputs" / "smoke" / "proposals" / name


def rows(folder: Path) -> list[Row]:
    found, problems = cells.read((folder / "review.csv").read_bytes(), review.NEEDED, "review.csv")
    assert problems == []
    return found


def completions(project: Project) -> list[Mapping[str, Any]]:
    return [each["body"] for each in recorded(project) if each["path"].endswith("/chat/completions")]


def dataset(project: Project, split: str) -> list[dict[str, Any]]:
    [path] = (project.folder / "outputs/smoke/datasets").glob(f"tone_formal/*/{split}.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Project]:
    with project_in(tmp_path_factory.mktemp("sample"), cache) as found:
        ended = found.run(*REHEARSED)
        assert ended.code == 0, ended.err
        yield found
        stop_server(found)


@pytest.fixture(scope="module")
def unread(tmp_path_factory: pytest.TempPathFactory) -> Own:
    own = Own(tmp_path_factory.mktemp("unread"))
    source(own, "desk", SAID)
    return own


def test_traces_without_consent_are_refused_with_the_line_to_write(project: Project) -> None:
    source(project, "desk", SAID, consent=None)
    ended = project.run("sample", "desk", *REHEARSED, "--by", "random")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "conf/source/desk.yaml: dataset.sources.desk: no consent is recorded\n"
        "    What people said is learnt from only where they agreed, and it is written down who did and when.\n"
        f"    Fix: write a line like this:  consent: {CONSENT}\n"
    )
    assert not (project.folder / "outputs").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            (),
            "command line: sample takes a source of traces\n    Fix: ftbuild sample SOURCE +experiment=NAME\n",
        ),
        (
            ("desk_",),
            "command line: no source 'desk_'\n    Fix: the nearest is 'desk'.\n",
        ),
        (
            ("desk", "--by", "random", "--arms", "tuned"),
            "command line: --by random asks nobody\n    Fix: leave --arms out.\n",
        ),
        (
            ("desk", "--arms", "tuned"),
            "command line: --by disagreement asks two arms\n    Fix: --arms tuned,base\n",
        ),
        (
            ("desk", "--arms", "tuned,bse"),
            "command line: no arm 'bse' to ask\n    Fix: the nearest is 'base'.\n",
        ),
        (
            ("desk",),
            "command line: the model of tone_formal is not trained yet\n"
            "    Fix: ftbuild +experiment=tone_formal provider=rehearsal --smoke first, or --by random, which asks no "
            "model.\n",
        ),
    ],
)
def test_what_cannot_be_sampled_is_told_before_anything_is_read(unread: Own, words: tuple[str, ...], said: str) -> None:
    ended = unread.run("sample", *words, *REHEARSED)
    assert (ended.code, ended.out, ended.err) == (2, "", said)


@pytest.mark.slow
def test_a_person_gets_what_two_models_disagree_on_and_no_secret_goes_anywhere(built: Project) -> None:
    [tested, learnt] = (dataset(built, split)[0]["messages"][-2]["content"] for split in ("test", "train"))
    source(built, "desk", [*SAID, (f"{tested} !!", "x"), (learnt.upper(), "x"), SPOILT])
    before = len(completions(built))
    ended = built.run("sample", "desk", *REHEARSED)
    assert ended.code == 0, ended.err
    folder = proposal(built, "tone_formal_desk_disagreement")
    assert "\ndesk       7 examples; left out: 1 by praised, of desk.jsonl\n" in f"\n{ended.err}"
    assert "\nredacted   2 email, 2 phone; by all rules, since the experiment names none\n" in ended.err
    left = (
        "left 4 to choose from; 1 asked as another trace is, 1 in the test split already, 1 in the train split already"
    )
    assert left in " ".join(ended.err.split())
    assert ended.out == (
        "outputs/smoke/proposals/tone_formal_desk_disagreement/review.csv\n"
        "Fill in verdict (keep, edit or drop) and answer, then:\n"
        "ftbuild accept outputs/smoke/proposals/tone_formal_desk_disagreement\n"
    )
    table = {each.cells["trace"]: each.cells for each in rows(folder)}
    assert sorted(table) == [f"desk.jsonl:{number}" for number in (1, 2, 3, 4)]
    assert table["desk.jsonl:3"]["asked"] == SAID[2][0]
    assert table["desk.jsonl:3"]["logged"] == SAID[2][1]
    assert table["desk.jsonl:4"]["answer of base"] == SAID[3][0]
    assert table["desk.jsonl:4"]["answer of tuned"].endswith(f": {SAID[3][0]}")
    assert table["desk.jsonl:1"]["asked"] == "hey can u send it by friday? mail me at [email]"
    assert table["desk.jsonl:1"]["logged"] == "Could you write to [email]?"
    asked = completions(built)[before:]
    assert len(asked) == 8
    assert {each["messages"][0]["role"] for each in asked} == {"system"}  # as the model was taught, and tested
    files = [path for path in built.folder.rglob("*") if path.is_file() and path.name != "desk.jsonl"]
    for secret in SECRETS:
        assert [path for path in files if secret.encode() in path.read_bytes()] == []
        assert secret not in json.dumps(recorded(built), ensure_ascii=False)
        assert secret not in ended.err + ended.out
    told = (folder / "proposal.yaml").read_text()
    assert f"  consent: {CONSENT}\n" in told
    assert "    email: 2\n" in told

    again = built.run("sample", "desk", *REHEARSED)
    assert (again.code, again.err) == (
        2,
        "outputs/smoke/proposals/tone_formal_desk_disagreement: is there already\n"
        "    Fix: accept it, take it away (rm -r outputs/smoke/proposals/tone_formal_desk_disagreement), or --to "
        "another folder.\n",
    )
    assert built.run("sample", "desk", *REHEARSED, "--to", "elsewhere").code == 0
    for name in ("review.csv", "traces.jsonl"):
        assert (built.folder / "elsewhere" / name).read_bytes() == (folder / name).read_bytes()
    assert len(completions(built)) == before + 8  # what was asked once is kept


@pytest.mark.slow
def test_the_answer_that_was_given_may_be_one_of_the_two(built: Project) -> None:
    source(built, "given", [("gonna be late!!", "gonna be late!!"), ("brb", "I shall be back shortly.")])
    ended = built.run("sample", "given", *REHEARSED, "--arms", "base,logged")
    assert ended.code == 0, ended.err
    [row] = rows(proposal(built, "tone_formal_given_disagreement"))[:1]
    assert row.cells["asked"] == "brb"
    assert list(row.cells) == ["id", "asked", "logged", "answer of base", "why", *review.FILLED, "trace"]


@pytest.mark.slow
def test_at_random_no_model_is_asked_and_the_seed_draws(built: Project) -> None:
    source(built, "many", [(f"question number {number}", "x") for number in range(30)])
    before, drawn = len(completions(built)), {}
    for folder, words in (("a", ()), ("b", ()), ("c", ("seed=8",))):
        ended = built.run("sample", "many", *REHEARSED, "--by", "random", "-n", "5", "--to", folder, *words)
        assert ended.code == 0, ended.err
        drawn[folder] = [each.cells["trace"] for each in rows(built.folder / folder)]
    assert len(completions(built)) == before
    assert drawn["a"] == drawn["b"]
    assert drawn["a"] != drawn["c"]
    assert [len(each) for each in drawn.values()] == [5, 5, 5]


@pytest.mark.slow
def test_by_uncertainty_answers_come_with_log_probabilities_which_tests_go_without(built: Project) -> None:
    source(built, "unsure", [("gonna be late", "x"), ("brb", "y")])
    before = completions(built)
    assert not any("logprobs" in each for each in before)
    ended = built.run("sample", "unsure", *REHEARSED, "--by", "uncertainty")
    assert ended.code == 0, ended.err
    asked = completions(built)[len(before) :]
    assert [(each["logprobs"], each["top_logprobs"], each["model"][:3]) for each in asked] == [(True, 2, "ft:")] * 2
    table = rows(proposal(built, "tone_formal_unsure_uncertainty"))
    assert {each.cells["why"].partition(",")[0] for each in table} == {"unsure: 0.00 nats a token on average"}


@pytest.mark.slow
def test_a_killed_sample_asks_for_nothing_that_was_answered(built: Project) -> None:
    source(built, "long", [(f"gonna be number {number}", "x") for number in range(60)])
    database = built.store(smoke=True).folder / "calls.db"
    n_before = len(completions(built))

    def kept() -> list[str]:
        with sqlite3.connect(database) as calls:
            return [row[0] for row in calls.execute("SELECT request FROM call WHERE request LIKE '%number%'")]

    n_kept = len(kept())
    client = built.start("sample", "long", *REHEARSED, "evaluation.requests_per_minute=600")
    until(lambda: len(kept()) >= n_kept + 10 or client.process.poll() is not None)
    client.kill()
    answered = {json.loads(each)["messages"][-1]["content"] + json.loads(each)["model"] for each in kept()}
    n_killed = len(completions(built))
    folder = proposal(built, "tone_formal_long_disagreement")
    assert not folder.exists()
    ended = built.run("sample", "long", *REHEARSED)
    assert ended.code == 0, ended.err
    later = Counter(each["messages"][-1]["content"] + each["model"] for each in completions(built)[n_killed:])
    assert 0 < len(later) <= 120 - 10
    assert set(later) & answered == set()
    assert set(later.values()) == {1}
    assert n_killed > n_before
    assert len(rows(folder)) == 50


@pytest.mark.slow
def test_a_review_may_be_json_lines_which_say_what_the_table_says(built: Project) -> None:
    source(built, "lines", SAID)
    for folder, words in (("table", ()), ("lines", ("--form", "jsonl"))):
        ended = built.run("sample", "lines", *REHEARSED, "--by", "random", "--to", folder, *words)
        assert ended.code == 0, ended.err
    assert ended.out.startswith("lines/review.jsonl\n")
    listed = [json.loads(each) for each in (built.folder / "lines" / "review.jsonl").read_text().splitlines()]
    assert listed == [dict(each.cells) for each in rows(built.folder / "table")]
    assert "  file: review.jsonl\n" in (built.folder / "lines" / "proposal.yaml").read_text()


@pytest.mark.slow
def test_what_the_models_agree_on_is_nothing_to_look_at(built: Project) -> None:
    source(built, "same", [("brb", "x")])
    ended = built.run("sample", "same", *REHEARSED, "--arms", "base,echo")
    assert ended.code == 1
    assert ended.err.endswith(
        "same.jsonl: base and echo agree on all of 1 trace\n    Fix: --by random, or other arms: --arms ONE,OTHER.\n"
    )


@pytest.mark.slow
def test_consent_goes_into_the_provenance_of_every_example_learnt_from(built: Project) -> None:
    source(built, "agreed", [(f"question number {number}", "x") for number in range(30)])
    ended = built.run("dataset", *REHEARSED, "dataset.limit=null", "+source@dataset.sources.agreed=agreed")
    assert ended.code == 0, ended.err
    lines = (built.folder / ended.out.strip() / "provenance.jsonl").read_text().splitlines()
    told = Counter((each["source"], each.get("consent")) for each in map(json.loads, lines))
    assert told["agreed", CONSENT] == 30
    assert {consent for name, consent in told if name != "agreed"} == {None}


@pytest.mark.slow
def test_what_a_person_filled_in_is_learnt_from_and_says_who_agreed(project: Project) -> None:
    source(project, "desk", SAID)
    asked = ("+experiment=tone_formal", "provider=rehearsal")
    ended = project.run("sample", "desk", *asked, "--by", "random")
    assert ended.code == 0, ended.err
    folder = project.folder / "datasets" / "proposals" / "tone_formal_desk_random"
    table = {each.cells["trace"]: dict(each.cells) for each in rows(folder)}
    columns = list(table["desk.jsonl:1"])

    def fill(**verdicts: str) -> None:
        for number, (verdict, answer) in enumerate(FILLED, 1):
            table[f"desk.jsonl:{number}"] |= {"verdict": verdict, "answer": answer, "reviewer": "AK"} | verdicts
        (folder / "review.csv").write_bytes(cells.written(columns, table.values()))

    fill(verdict="")
    ended = project.run("accept", folder.name)
    assert (ended.code, ended.err.splitlines()[0].partition(": ")[2]) == (1, "an answer and no verdict")
    fill()
    ended = project.run("accept", folder.name)
    assert ended.code == 0, ended.err
    assert "review.csv: warning: 1 of 4 rows has no verdict, and is left out    unfilled\n" in ended.err
    lines = (project.folder / "datasets/sources/tone_formal_2/review.jsonl").read_text(encoding="utf-8").splitlines()
    learnt = {each["provenance"]["trace"]: each for each in map(json.loads, lines)}
    assert {name: each["messages"][-1]["content"] for name, each in learnt.items()} == {
        "desk.jsonl:1": "Could you write to [email]?",
        "desk.jsonl:3": "=SUM(A1) fails.",
    }
    ended = project.run("dataset", "+experiment=tone_formal_2", "provider=rehearsal")
    assert ended.code == 0, ended.err
    told = map(json.loads, (project.folder / ended.out.strip() / "provenance.jsonl").read_text().splitlines())
    assert [each["consent"] for each in told if each["source"].endswith("_review")] == [CONSENT] * 2


@pytest.mark.slow
def test_calls_are_shown_as_people_write_them_and_kept_as_they_came(project: Project) -> None:
    asked = ("+experiment=parallel_tools", "--smoke", "provider=rehearsal")
    call = {"name": "get_weather", "arguments": '{"day": "today", "city": "Oslo"}'}
    given = {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": call}]}
    parameters = {"type": "object", "properties": {}}
    tools = {"type": "function", "function": {"name": "get_weather", "parameters": parameters}}
    value = {
        "type": "GENERATION",
        "trace_id": "t",
        "score": 5,
        "input": {"messages": [{"role": "user", "content": "Rain in Oslo?"}], "tools": [tools]},
        "output": given,
    }
    source(project, "calls", [])
    (project.folder / "calls.jsonl").write_text(json.dumps(value) + "\n")
    try:
        assert project.run(*asked).code == 0
        ended = project.run("sample", "calls", *asked)
        assert ended.code == 0, ended.err
        folder = proposal(project, "parallel_tools_calls_disagreement")
        [row] = rows(folder)
        assert row.cells["logged"] == 'get_weather(day="today", city="Oslo")'
        assert row.cells["answer of tuned"].startswith("get_weather(")
        assert row.cells["why"] == "tuned calls tools and base none"
        [trace] = map(json.loads, (folder / "traces.jsonl").read_text().splitlines())
        assert trace["messages"][-1]["tool_calls"][0]["function"] == call
        assert trace["tools"] == [tools]
        filled = {**row.cells, "verdict": "edit", "answer": row.cells["logged"]}
        content = cells.written([*row.cells], [filled])
        [line], problems = review.lines_of(content, (folder / "traces.jsonl").read_bytes())
        assert problems == []
        assert line["messages"][-1]["tool_calls"][0]["function"] == call
        ended = project.run("sample", "calls", *asked, "--by", "uncertainty")
        assert ended.code == 1
        assert ended.err.endswith(
            "calls.jsonl: the server told no log-probabilities in 1 answer\n"
            "    Not every server gives them, and none does for answers that only call tools.\n"
            "    Fix: --by disagreement goes without them.\n"
        )
    finally:
        stop_server(project)


@pytest.mark.slow
def test_nothing_is_paid_that_nobody_agreed_to(project: Project, tmp_path: Path, cache: Path) -> None:
    source(project, "desk", SAID)
    with running(tmp_path / "theirs", cache, engine="scripted") as server:
        path = project.folder / "conf" / "provider" / "elsewhere.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(profile(base_url=str(server.client.base_url)), encoding="utf-8")
        key = {"ELSEWHERE_KEY": server.client.api_key}
        ended = project.run(*AT_ELSEWHERE, "--yes", **key)
        assert ended.code == 0, ended.err

        def n_asked() -> int:
            log = (tmp_path / "theirs" / "requests.log").read_text()
            return log.count("POST /v1/chat/completions")

        before = n_asked()
        ended = project.run("sample", "desk", *AT_ELSEWHERE, **key)
        assert (ended.code, n_asked()) == (2, before)
        assert "to be paid to elsewhere, and no terminal to ask at\n    Nothing was sent.\n" in ended.err
        ended = project.run("sample", "desk", *AT_ELSEWHERE, "--yes", "--max-cost", "0.000001", **key)
        assert (ended.code, n_asked()) == (2, before)
        assert "more than --max-cost 1e-06\n    Nothing was sent.\n" in ended.err
        ended = project.run("sample", "desk", *AT_ELSEWHERE, "--yes", "--max-cost", "0.1", **key)
        assert (ended.code, n_asked()) == (0, before + 8), ended.err
        shutil.rmtree(proposal(project, "tone_formal_desk_disagreement"))
        ended = project.run("sample", "desk", *AT_ELSEWHERE, **key)  # it is there already, so nobody is asked
        assert (ended.code, n_asked()) == (0, before + 8), ended.err
