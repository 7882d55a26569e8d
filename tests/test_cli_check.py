"""`ftbuild check`: every rule is broken by one line and named with its place; what is sound passes."""

import copy
import gzip
import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from config_fixture import Ended, Own
from hypothesis import given
from hypothesis import strategies as st
from training_lines import (
    BROKEN,
    BROKEN_LINE,
    CITIES,
    GOOD,
    OF_FILES,
    ONE_BY_ONE,
    Broken,
    call,
    dpo,
    in_bytes,
    one_by_one,
    put,
    quiet,
    reinforcement,
    supervised,
)

from ftbuild.rows import read
from ftbuild.rules.lines import check as check_line
from ftbuild.rules.pack import PACKS, RULES, Method
from ftbuild.tokens import of_line

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
EXTRA = {"type": "function", "function": {"name": "extra", "description": "Never called."}}


@pytest.fixture
def own(tmp_path: Path) -> Own:
    return Own(tmp_path)


def write(own: Own, name: str, content: bytes) -> None:
    (own.folder / name).write_bytes(content)


def told(own: Own, content: bytes, *options: str, name: str = "a.jsonl") -> list[dict[str, Any]]:
    """Return what is said of a file, and see to it that the exit code tells of errors."""
    write(own, name, content)
    ended = own.run("check", name, "--format", "json", *options)
    assert ended.err == ""
    [file] = json.loads(ended.out)["files"]
    problems: list[dict[str, Any]] = file["problems"]
    assert ended.code == any(each["severity"] == "error" for each in problems)
    return problems


def places(problems: list[dict[str, Any]]) -> list[tuple[str, int | None, str]]:
    return [(each["rule"], each["line"], each["path"]) for each in problems]


@pytest.mark.parametrize("method", GOOD)
def test_sound_lines_pass(own: Own, method: str) -> None:
    assert told(own, in_bytes(GOOD[method]), "--method", method) == []


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: f"{broken.method}-{broken.rule}")
def test_a_broken_line_is_named_with_its_rule_line_and_place(own: Own, broken: Broken) -> None:
    problems = told(own, broken.file(), "--method", broken.method)
    assert places(problems) == [(broken.rule, BROKEN_LINE, broken.at)]
    assert problems[0]["severity"] == RULES[broken.rule].severity
    assert problems[0]["why"] == RULES[broken.rule].why
    assert problems[0]["fix"]


INIT = "ftbuild init NAME --from FILE reads other layouts: ShareGPT, Alpaca, pairs, exported traces."


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ({"conversations": [{"from": "human", "value": "Hi."}]}, f'write {{"messages": [...]}}; {INIT}'),
        ({"conversations": [{"role": "user", "content": "Hi."}]}, "rename 'conversations' to 'messages'."),
        ({"input": "Hi.", "output": "Hello."}, f'write {{"messages": [...]}}; {INIT}'),
    ],
)
def test_lines_of_another_layout_are_sent_where_they_are_read(own: Own, line: dict[str, Any], fix: str) -> None:
    found = told(own, in_bytes([*GOOD["supervised"], line]))
    assert [(each["rule"], each["fix"]) for each in found] == [("missing-messages", fix)]


def test_a_file_of_another_layout_is_not_read_as_lines(own: Own) -> None:
    own.write("a.csv", "q,a\nHi,Hello\n")
    said = (
        "a.csv: no training lines, by its name\n"
        "    Fix: read it as a source, ftbuild init NAME --from a.csv; its dataset can be checked.\n"
    )
    assert own.run("check", "a.csv") == Ended(2, "", said)


ASKS = {"role": "user", "content": "Rain?"}
CALLS = supervised("Bonn")["messages"][2]


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([ASKS, {"role": "assistant", "content": None, "refusal": "No."}], []),
        ([ASKS, {**CALLS, "content": None}], []),
        ([ASKS, {"role": "assistant", "content": None}], [("null-value", "messages[1].content", "write a text.")]),
    ],
)
def test_no_content_is_right_where_something_else_is_said(messages: Any, said: list[tuple[str, str, str]]) -> None:
    line = {**supervised("Bonn"), "messages": messages}
    assert [(each.rule, each.at, each.fix) for each in check_line(line, "supervised", PACKS["openai"])] == said


def test_a_preference_is_not_between_answers_to_calls_without_results() -> None:
    given = {"messages": [ASKS, CALLS], "tools": supervised("Bonn")["tools"]}
    [problem] = check_line({**dpo("Bonn"), "input": given}, "dpo", PACKS["openai"])
    assert (problem.rule, problem.at) == ("input-ends-with-assistant", "input.messages[1]")
    assert problem.fix == "add the results of its calls."


def test_an_answer_to_prefer_calls_by_ids_that_the_input_has_not() -> None:
    line = supervised("Bonn")
    answer = {"role": "assistant", "tool_calls": [call(1, "calculate", expression="9")]}
    asked = [*line["messages"], {"role": "user", "content": "And 4+5?"}]
    value = {
        "input": {"messages": asked, "tools": line["tools"]},
        "preferred_output": [answer],
        "non_preferred_output": [{"role": "assistant", "content": "9."}],
    }
    del asked[5]["weight"]
    [problem] = check_line(value, "dpo", PACKS["openai"])
    assert (problem.rule, problem.at) == ("duplicate-call-id", "preferred_output[0].tool_calls[0].id")


def test_every_rule_is_broken_somewhere() -> None:
    assert {each.rule for each in BROKEN} | OF_FILES == set(RULES)
    assert len({each.rule for each in BROKEN}) >= 60


def test_one_call_at_a_time_passes(own: Own) -> None:
    assert told(own, in_bytes(ONE_BY_ONE)) == []


GOOD_BYTES = in_bytes(GOOD["supervised"])


@pytest.mark.parametrize(
    ("content", "rules"),
    [
        (b"", ["empty-file"]),
        (in_bytes(GOOD["supervised"][3:]), ["too-few-examples"]),
        (GOOD_BYTES[:-20], ["always-a-call", "cut-short"]),
        (json.dumps(GOOD["supervised"]).encode(), ["not-json-lines"]),
        (json.dumps(GOOD["supervised"], indent=2).encode(), ["not-json-lines"]),
        ("\n".join(json.dumps(each, indent=2) for each in GOOD["supervised"]).encode(), ["not-json-lines"]),
        (GOOD_BYTES.decode().encode("utf-16"), ["utf-16"]),
        (GOOD_BYTES.decode().encode("utf-16-be"), ["utf-16"]),
        (GOOD_BYTES.decode().encode("utf-32"), ["utf-16"]),
        (json.dumps(GOOD["supervised"])[:-1].encode(), ["not-json-lines", "cut-short"]),
        (json.dumps(GOOD["supervised"]).encode() + b"\n\n[]", ["not-json-lines", "not-json"]),
        (b"\xef\xbb\xbf" + GOOD_BYTES, ["byte-order-mark"]),
        (in_bytes([*map(one_by_one, CITIES[:5]), *map(supervised, CITIES[5:]), quiet("Bonn")]), ["flag-differs"]),
        (in_bytes([*map(one_by_one, CITIES[:5]), *map(one_by_one, CITIES[5:])]), ["always-a-call"]),
        (in_bytes([{**each, "tools": [*each["tools"], EXTRA]} for each in GOOD["supervised"]]), ["tool-never-called"]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_whole_file_is_named_first(own: Own, content: bytes, rules: list[str]) -> None:
    found = told(own, content)
    assert [each["rule"] for each in found] == rules
    assert all(each["fix"] for each in found)


def test_lines_behind_an_array_are_not_read_and_not_lost_in_silence(own: Own) -> None:
    content = b"".join(b"[%s]\n" % line for line in in_bytes(GOOD["supervised"]).splitlines())
    *_, last = told(own, content)
    assert (last["line"], last["message"]) == (2, "something behind the array")
    assert own.run("check", "--fix", "a.jsonl").out.startswith("Nothing to mend.")


def test_the_line_of_a_value_over_several_lines_is_its_first(own: Own) -> None:
    lines = [*GOOD["supervised"]]
    lines[4] = {**lines[4], "source": "x"}
    content = json.dumps(lines, indent=1).encode()
    [whole, problem] = told(own, content)
    assert (whole["rule"], problem["rule"]) == ("not-json-lines", "unknown-key")
    first = content.split(b"\n")[: problem["line"] - 1]
    assert json.loads(b"\n".join(first).decode().rstrip().rstrip(",") + "]") == GOOD["supervised"][:4]


def test_carriage_returns_and_line_separators_inside_texts_end_no_line(own: Own) -> None:
    lines = [*GOOD["supervised"]]
    lines[4] = {**lines[4], "messages": [{"role": "user", "content": "a\u2028b\u0085c"}, lines[-1]["messages"][1]]}
    assert told(own, in_bytes(lines).replace(b"\n", b"\r\n")) == []


def test_azure_asks_for_the_mark_that_others_warn_of(own: Own) -> None:
    assert told(own, b"\xef\xbb\xbf" + GOOD_BYTES, "--provider", "azure") == []


def test_the_method_is_that_of_the_first_line(own: Own) -> None:
    assert told(own, in_bytes(GOOD["dpo"])) == []
    graded = [{"messages": each["messages"], "reference": each["right"]} for each in GOOD["reinforcement"]]
    assert told(own, in_bytes(graded)) == []
    assert "no-assistant" in str(told(own, in_bytes([{"messages": each["messages"]} for each in graded])))


def test_a_question_of_one_file_in_another_is_a_leak(own: Own) -> None:
    write(own, "train.jsonl", GOOD_BYTES)
    write(own, "test.jsonl", in_bytes([*map(supervised, CITIES[:9]), quiet("Bonn")]))
    files = json.loads(own.run("check", "train.jsonl", "test.jsonl", "--format", "json").out)["files"]
    assert [each["problems"] == [] for each in files] == [True, False]
    assert {each["rule"] for each in files[1]["problems"]} == {"leak-across-files"}
    assert files[1]["problems"][0]["message"] == "asks the same as train.jsonl:1"


def test_a_line_made_out_of_one_of_a_test_file_is_no_training(own: Own) -> None:
    def pair(asked: str, answered: str) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]}

    tests = [pair("where do i park at the depot, bay 7?", "Where at the depot may I park? At bay 7?")]
    copied = pair("Where do I park at the depot? Bay 7!", "At bay 7.")
    parts = {"role": "user", "content": [{"type": "text", "text": "where do i park at the depot, bay 7?"}]}
    write(own, "test.jsonl", in_bytes(tests))
    good, at = GOOD["supervised"], len(GOOD["supervised"]) + 1
    lines = [*good, copied]
    n_tokens = sum(of_line(each, PACKS["openai"].encoding) for each in lines)
    write(own, "train.jsonl", in_bytes(lines))
    assert own.run("check", "train.jsonl", "--against", "test.jsonl").out == (
        f"train.jsonl:{at}: asks what a test example asks, but for case, spaces and punctuation: test.jsonl:1\n"
        "    The score would flatter the model.\n"
        "    Fix: take it out, or write another with words and values of its own.    test-example-in-training\n"
        "\n"
        f"1 error in 1 file, {at} lines read, {n_tokens:,} tokens.\n"
    )
    in_parts = in_bytes([*good, {"messages": [parts, copied["messages"][1]]}])
    [problem] = told(own, in_parts, "--against", "test.jsonl")
    assert (problem["rule"], problem["line"]) == ("test-example-in-training", at)
    assert told(own, GOOD_BYTES, "--against", "test.jsonl") == []
    write(own, "test.jsonl", in_bytes([{"messages": [copied["messages"][0], {"role": "narrator", "content": "Hm."}]}]))
    ended = own.run("check", "train.jsonl", "--against", "test.jsonl")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("test.jsonl:1: messages[1].role: ")


@pytest.mark.parametrize("method", ["dpo", "reinforcement"])
def test_a_line_of_any_method_is_held_before_those_that_test(own: Own, method: Method) -> None:
    write(own, "test.jsonl", in_bytes(GOOD[method][3:4]))
    found = told(own, in_bytes(GOOD[method]), "--against", "test.jsonl", "--method", method)
    assert [each["line"] for each in found if each["message"] == "asks what a test example asks: test.jsonl:1"] == [4]


def test_a_folder_stands_for_its_files_and_compressed_ones_are_read(own: Own) -> None:
    (own.folder / "data" / "deep").mkdir(parents=True)
    (own.folder / "data" / "b.jsonl").write_bytes(GOOD_BYTES)
    (own.folder / "data" / "deep" / "a.jsonl.gz").write_bytes(gzip.compress(in_bytes(GOOD["dpo"])))
    (own.folder / "data" / "notes.txt").write_text("no")
    own.write("data/deep/provenance.jsonl", "{}\n")
    own.write("data/deep/manifest.json", "{}\n")
    ended = own.run("check", "data")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(
        "data/deep/a.jsonl.gz: warning: compressed\n"
        "    Providers take JSON lines as they are.\n"
        "    Fix: unpack it before it is sent.    compressed-file\n"
    )
    assert "2 files, 24 lines read, " in ended.out


def test_people_read_place_reason_and_remedy(own: Own) -> None:
    lines = json.loads(json.dumps(GOOD["supervised"]))
    lines[1]["messages"][2]["tool_calls"][0]["function"]["arguments"] = '"{\\"city\\": \\"Rome\\"}"'
    write(own, "a.jsonl", in_bytes(lines))
    assert own.run("check", "a.jsonl") == Ended(
        1,
        "a.jsonl:2: messages[2].tool_calls[0].function.arguments: JSON text inside JSON text\n"
        "    The model would learn to answer with a quoted string, and no call would parse.\n"
        "    Fix: ftbuild check --fix unwraps it.    arguments-encoded-twice\n"
        "\n"
        "1 error in 1 file, 12 lines read, 2,154 tokens.\n",
        "",
    )


def test_the_example_of_the_readme_is_what_is_said(own: Own) -> None:
    lines = copy.deepcopy(GOOD["supervised"])
    lines[1]["messages"][2]["tool_calls"][0]["function"]["arguments"] = '"{\\"city\\": \\"Rome\\"}"'
    answer = lines[3]["messages"].pop(3)
    lines[3]["messages"].insert(3, {**answer, "tool_call_id": "call_7"})
    lines[3]["messages"].insert(3, answer)
    write(own, "chats.jsonl", in_bytes(lines))
    shown = README.partition("$ ftbuild check chats.jsonl\n")[2].partition("```")[0]
    assert own.run("check", "chats.jsonl") == Ended(1, shown, "")


def test_github_gets_an_annotation_a_finding(own: Own) -> None:
    write(own, "a,b.jsonl", in_bytes([{**each, "a%b": 1} for each in GOOD["supervised"][:1]]))
    ended = own.run("check", "a,b.jsonl", "--format", "github")
    assert ended.out.splitlines()[2] == (
        "::error file=a%2Cb.jsonl,line=1,title=unknown-key::a%25b: no key 'a%25b' in a line%0A"
        "The provider refuses the whole file.%0A"
        "Fix: Nothing but what is learnt goes into a line; keep it in a file beside."
    )


def test_junit_counts_errors_as_failures(own: Own) -> None:
    broken = next(each for each in BROKEN if each.rule == "unknown-tool")
    write(own, "a.jsonl", broken.file())
    root = ElementTree.fromstring(own.run("check", "a.jsonl", "--format", "junit").out)
    assert (root.tag, root.attrib) == ("testsuites", {"tests": "1", "failures": "1"})
    case = root.find("testsuite/testcase")
    assert case is not None
    assert case.attrib == {"classname": "a.jsonl", "name": "line 5: unknown-tool"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "command line: check takes files\n    Fix: ftbuild check FILE.jsonl\n"),
        (["b.jsonl"], "b.jsonl: no such file\n    Fix: the nearest is a.jsonl.\n"),
        (
            ["."],
            ".: no training file in this folder\n"
            "    Fix: name a file; its name ends with .jsonl, .jsonl.gz or .jsonl.zst.\n",
        ),
        (
            ["a.json", "--method", "dop"],
            "command line: --method takes supervised, dpo, reinforcement, not 'dop'\n    Fix: --method dpo\n",
        ),
        (
            ["a.json", "--provider", "azur"],
            "command line: --provider takes openai, azure, compatible, embedded, not 'azur'\n"
            "    Fix: --provider azure\n",
        ),
    ],
)
def test_bad_use_is_answered_with_the_remedy(own: Own, words: list[str], said: str) -> None:
    if words != ["."]:
        write(own, "a.jsonl", GOOD_BYTES)
    assert own.run("check", *words) == Ended(2, "", said)


MENDED = {
    "arguments-not-a-text", "arguments-encoded-twice", "null-value", "developer-role", "unknown-role",
    "flag-without-tools", "no-calls", "bad-tool-call", "weight-on-other-role", "long-call-id", "missing-call-id",
    "unknown-type", "renamed-key", "blank-line", "content-in-parts", "calls-on-other-role",
    "incomplete-schema",
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: f"{broken.method}-{broken.rule}")
def test_what_is_mended_is_sound_and_all_else_keeps_its_bytes(own: Own, broken: Broken) -> None:
    write(own, "a.jsonl", broken.file())
    own.run("check", "a.jsonl", "--fix", "--method", broken.method)
    fixed = own.folder / "a.fixed.jsonl"
    assert (own.folder / "a.jsonl").read_bytes() == broken.file()
    assert fixed.exists() == (broken.rule in MENDED)
    if fixed.exists():
        assert own.run("check", "a.fixed.jsonl", "--method", broken.method).out.startswith("No problems in 1 file")
        before, after = (path.read_bytes().splitlines() for path in (own.folder / "a.jsonl", fixed))
        if broken.rule != "blank-line":
            assert [i for i, (old, new) in enumerate(zip(before, after, strict=True), 1) if old != new] == [BROKEN_LINE]


def test_the_changes_are_listed_and_the_new_file_is_checked(own: Own) -> None:
    broken = next(each for each in BROKEN if each.rule == "arguments-not-a-text")
    write(own, "a.jsonl", broken.file())
    changed = "a.jsonl:5: messages[2].tool_calls[0].function.arguments: written as a text    arguments-not-a-text\n"
    ended = own.run("check", "a.jsonl", "--fix")
    assert ended.out.startswith(f"{changed}wrote a.fixed.jsonl: 1 change\n\nNo problems in 1 file, 12 lines read, ")
    assert own.run("check", "a.jsonl", "--fix") == ended
    write(own, "a.fixed.jsonl", b"mine")
    said = "a.fixed.jsonl: is there already, and --fix would write it\n    Fix: move it away, or delete it.\n"
    assert own.run("check", "a.jsonl", "--fix") == Ended(2, "", said)


@pytest.mark.parametrize("named", [{"id": "c"}, {}])
def test_a_wrapper_around_calls_is_unpacked(own: Own, named: dict[str, str]) -> None:
    line = quiet("Bonn")
    uses = [{"recipient_name": "functions.get_weather", "parameters": {"city": city}} for city in ("Bonn", "Rome")]
    wrapped = {"name": "multi_tool_use.parallel", "arguments": json.dumps({"tool_uses": uses})}
    line["messages"][1] = {"role": "assistant", "tool_calls": [{**named, "type": "function", "function": wrapped}]}
    write(own, "a.jsonl", in_bytes([*GOOD["supervised"], line]))
    assert own.run("check", "a.jsonl", "--fix").code == 0
    last = json.loads((own.folder / "a.fixed.jsonl").read_bytes().splitlines()[-1])
    name = named.get("id", "call")
    assert last["messages"][1]["tool_calls"] == [
        {**call(1, "get_weather", city="Bonn"), "id": f"{name}_1"},
        {**call(2, "get_weather", city="Rome"), "id": f"{name}_2"},
    ]


def test_every_argument_that_is_missing_is_named(own: Own) -> None:
    lines = copy.deepcopy(GOOD["supervised"])
    schema = lines[1]["tools"][0]["function"]["parameters"]
    schema["required"] = ["city", "day"]
    lines[1]["messages"][2]["tool_calls"][0]["function"]["arguments"] = "{}"
    said = [each["message"] for each in told(own, in_bytes(lines))]
    assert said == ["'city' is a required property", "'day' is a required property"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"city": NaN}', "NaN is not JSON"),
        ('{"city": "Oslo", "city": "Rome"}', "key 'city' twice in one object"),
    ],
)
def test_arguments_are_json_as_strict_as_lines(own: Own, text: str, said: str) -> None:
    lines = copy.deepcopy(GOOD["supervised"])
    lines[1]["messages"][2]["tool_calls"][0]["function"]["arguments"] = text
    [problem] = told(own, in_bytes(lines))
    assert (problem["rule"], problem["message"]) == ("arguments-not-json", said)


def test_nulls_in_the_input_of_a_preference_are_taken_out(own: Own) -> None:
    line = dpo("Bonn")
    line["input"] |= {"tools": None, "parallel_tool_calls": None}
    write(own, "a.jsonl", in_bytes([*GOOD["dpo"], line]))
    assert own.run("check", "a.jsonl", "--fix").code == 0
    assert json.loads((own.folder / "a.fixed.jsonl").read_bytes().splitlines()[-1]) == dpo("Bonn")


PRETTY = json.dumps(GOOD["supervised"], indent=2).encode()


def test_what_a_grader_reads_is_not_mended(own: Own) -> None:
    line = {**reinforcement("Bonn"), "parallel_tool_calls": True, "name": None}
    write(own, "a.jsonl", in_bytes([*GOOD["reinforcement"], line]))
    assert own.run("check", "a.jsonl", "--fix", "--method", "reinforcement").out.startswith("Nothing to mend.")


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (PRETTY, "not-json-lines"),
        (GOOD_BYTES.decode().encode("utf-16"), "utf-16"),
        (b"\xef\xbb\xbf" + GOOD_BYTES, "byte-order-mark"),
    ],
)
def test_another_layout_is_written_as_lines(own: Own, content: bytes, rule: str) -> None:
    write(own, "a.json", content)
    ended = own.run("check", "a.json", "--fix")
    assert ended.code == 0
    assert ended.out.splitlines()[0] == f"a.json:1: written as JSON lines in UTF-8    {rule}"
    assert (own.folder / "a.json.fixed.jsonl").read_bytes() == GOOD_BYTES


@pytest.mark.parametrize("content", [PRETTY[:-40], b"\xff\xfe{" + b"\0\xd8" * 5])
def test_what_cannot_be_read_to_its_end_is_not_written(own: Own, content: bytes) -> None:
    write(own, "a.jsonl", content)
    assert own.run("check", "a.jsonl", "--fix").code == 1
    assert [path.name for path in own.folder.iterdir()] == ["a.jsonl"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def spots(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of every value inside a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(spot for key, each in inner for spot in spots(each, (*path, key)))]


@pytest.mark.parametrize("method", GOOD)
@given(st.data())
def test_whatever_stands_in_a_line_it_is_accepted_or_named(method: Method, data: st.DataObject) -> None:
    line = copy.deepcopy(data.draw(st.sampled_from(GOOD[method])))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(spots(line)))
        to: Any = data.draw(JSON | st.sampled_from([copy.deepcopy(line), "system", "tool", "assistant"]))
        if not path:
            line = to
            break
        put(*path, to=to)(line)
    for problem in check_line(line, method, PACKS["openai"]):
        assert problem.rule in RULES
        assert problem.what
    if isinstance(line, dict):
        of_line(line, "o200k_base")


@given(st.binary(max_size=60), st.integers(0, 400))
def test_whatever_the_bytes_are_every_line_is_read_or_named(noise: bytes, at: int) -> None:
    content = in_bytes([dpo("Bonn"), dpo("Rome")])
    content = content[:at] + noise + content[at:]
    for row in read(io.BytesIO(content)).rows:
        assert row.problems or row.value is not None or row.content == b"null"
        assert 1 <= row.line <= content.count(b"\n") + 1
