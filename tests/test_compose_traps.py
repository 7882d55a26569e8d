"""Traps of YAML, of Hydra's grammar and of secrets: each has a message of its own."""

import os
import shlex
from pathlib import Path

import pytest
from config_fixture import TONE, Own

from ftbuild.config_problems import secret

GRAMMAR = "Hydra reads commas, brackets, braces, colons, quotes and letters beyond ASCII as grammar."


@pytest.fixture
def own(tmp_path: Path) -> Own:
    return Own(tmp_path)


def test_bare_words_and_clock_times_that_yaml_does_not_read_as_text(own: Own) -> None:
    own.experiment(
        "mine",
        """
        # Mine.   ftbuild +experiment=mine
        defaults: [tone_formal]
        style:
          system: ~
          rules: {emoji: off}
          slang:
            - yes
            - 12:30
            - 007.5
          expand: {asap: on, lunch: 12:30, at: 07:45}
        """,
    )
    assert own.refused("plan", "+experiment=mine") == (
        "conf/experiment/mine.yaml:5: style.system: no value, which is how YAML reads null, ~ or nothing\n"
        '    Fix: write a text, or "" for an empty one.\n'
        "conf/experiment/mine.yaml:6: style.rules.emoji: False, which is how YAML reads a bare off, no or false\n"
        "    Fix: put the word in quotes.\n"
        "conf/experiment/mine.yaml:8: style.slang.0: True, which is how YAML reads a bare on, yes or true\n"
        "    Fix: put the word in quotes.\n"
        "conf/experiment/mine.yaml:9: style.slang.1: 750 is a number (or 12:30, which YAML reads in base 60),"
        " and text is wanted\n"
        "    Fix: put it in quotes.\n"
        "conf/experiment/mine.yaml:10: style.slang.2: 7.5 is a number, and text is wanted\n"
        "    Fix: put it in quotes.\n"
        "conf/experiment/mine.yaml:11: style.expand.asap: True, which is how YAML reads a bare on, yes or true\n"
        "    Fix: put the word in quotes.\n"
        "conf/experiment/mine.yaml:11: style.expand.lunch: 750 is a number (or 12:30, which YAML reads in base 60),"
        " and text is wanted\n"
        "    Fix: put it in quotes.\n"
    )


def test_keys_that_yaml_does_not_read_as_text(own: Own) -> None:
    own.experiment(
        "mine",
        """
        # Mine.   ftbuild +experiment=mine
        defaults: [tone_formal]
        style:
          expand:
            no: nay
            12:30: half past noon
            24: all day
            ~: nothing
            nay: "no"
            nay: never
        """,
    )
    assert own.refused("plan", "+experiment=mine") == (
        "conf/experiment/mine.yaml:6: the key no is not text: YAML reads it as true or false\n"
        '    Fix: put it in quotes: "no".\n'
        "conf/experiment/mine.yaml:7: the key 12:30 is not text: YAML reads it as a number\n"
        '    Fix: put it in quotes: "12:30".\n'
        "conf/experiment/mine.yaml:8: the key 24 is not text: YAML reads it as a number\n"
        '    Fix: put it in quotes: "24".\n'
        "conf/experiment/mine.yaml:9: the key ~ is not text: YAML reads it as no value\n"
        '    Fix: put it in quotes: "~".\n'
        "conf/experiment/mine.yaml:11: the key 'nay' stands here and on line 10\n"
        "    Fix: keep one of them.\n"
    )


def test_a_map_that_holds_itself_is_refused(own: Own) -> None:
    own.write("conf/experiment/mine.yaml", "# @package _global_\nlabels: &all {again: *all}\n")
    assert own.refused("plan", "+experiment=mine") == (
        "conf/experiment/mine.yaml: a map that holds itself, or is nested too deep\n"
        "    Fix: write out what *NAME stands for.\n"
    )


def test_a_number_or_truth_value_typed_where_text_is_wanted(own: Own) -> None:
    assert own.refused("plan", TONE, "style.system=true", "model.title=12") == (
        "command line: model.title: 12 is not text\n"
        "    Fix: quote the value: 'model.title=\"12\"'\n"
        "command line: style.system: True is not text\n"
        "    Fix: quote the value: 'style.system=\"true\"'\n"
    )


@pytest.mark.parametrize(
    ("typed", "shown", "wanted"),
    [
        ("style.system=丁寧に", "'style.system=丁寧に'", "'style.system=\"丁寧に\"'"),
        ("style.system=it's", '"style.system=it\'s"', "'style.system=\"it'\"'\"'s\"'"),
    ],
)
def test_a_value_that_hydra_reads_as_grammar_is_answered_with_the_line_to_type(
    own: Own, typed: str, shown: str, wanted: str
) -> None:
    assert own.refused("plan", TONE, typed) == (
        f"command line: {shown} is not an override that Hydra can read\n"
        f"    {GRAMMAR}\n"
        f"    Fix: quote the value: {wanted}\n"
    )


def test_the_line_to_type_works_in_a_shell(own: Own) -> None:
    said = own.refused("plan", TONE, "style.system=it's 丁寧")
    line = said.rpartition("quote the value: ")[2].strip()
    ended = own.run(TONE, *shlex.split(line), "--cfg", "job")
    assert (ended.code, "system: it's 丁寧" in ended.out) == (0, True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"# @package _global_\nstyle:\n  system: [a\n",
            "conf/experiment/mine.yaml:4: not YAML: expected ',' or ']', but got '<stream end>'\n",
        ),
        (
            b"# @package _global_\nstyle:\n\tsystem: a\n",
            "conf/experiment/mine.yaml:3: not YAML: found character '\\t' that cannot start any token\n",
        ),
        (
            b"# @package _global_\n# M\xfcller\n",
            "conf/experiment/mine.yaml:2: not UTF-8\n    Fix: save the file as UTF-8.\n",
        ),
        (
            b"# @package _global_\n- a\n- b\n",
            "conf/experiment/mine.yaml:2: not a map of keys\n    Fix: write `key: value` lines.\n",
        ),
    ],
)
def test_a_broken_file_is_named_with_its_line(own: Own, content: bytes, said: str) -> None:
    own.write("conf/experiment/mine.yaml", "")
    (own.folder / "conf/experiment/mine.yaml").write_bytes(content)
    assert own.refused("plan", "+experiment=mine") == said


def test_a_broken_file_that_nothing_asks_for_breaks_nothing(own: Own) -> None:
    own.write("conf/experiment/mine.yaml", "a: [\n")
    assert own.run("plan", TONE).code == 0
    assert own.refused("plan", TONE, "style.tonne=x").startswith("command line: style.tonne=x: no key")


def test_a_source_file_that_is_not_there(own: Own) -> None:
    own.experiment("mine", "defaults: [tone_formal]\ndataset: {sources: {pairs: {path: gone.jsonl}}}\n")
    ended = own.run("plan", "+experiment=mine", "dataset.sources.unseen.path=conf")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        f"conf/experiment/mine.yaml:3: dataset.sources.pairs.path: {own.folder}/gone.jsonl: no such file or directory\n"
        "    Fix: put the file there, or say where it is: dataset.sources.pairs.path=FILE.\n"
        f"command line: dataset.sources.unseen.path: {own.folder}/conf: is a directory\n"
        "    Fix: name a file in it, or those that a pattern finds: dataset.sources.unseen.path='conf/*.jsonl'\n"
    )


def test_a_source_that_is_no_file_to_be_read_is_refused_at_once(own: Own) -> None:
    os.mkfifo(own.folder / "pipe.jsonl")
    (own.folder / "loop.jsonl").symlink_to("loop.jsonl")
    typed = ("dataset.sources.pairs.path=pipe.jsonl", "dataset.sources.unseen.path=loop.jsonl")
    ended = own.run("plan", TONE, *typed)
    assert ended.err == (
        f"command line: dataset.sources.pairs.path: {own.folder}/pipe.jsonl: is a pipe or a device, no regular file\n"
        "    Fix: write what it says into a file, and say where it is: dataset.sources.pairs.path=FILE.\n"
        f"command line: dataset.sources.unseen.path: {own.folder}/loop.jsonl: too many levels of symbolic links\n"
        "    Fix: the links lead round in a circle: say where it is: dataset.sources.unseen.path=FILE.\n"
    )


@pytest.mark.parametrize("key", ["style.system", "+provider.api_key", "model.id"])
def test_an_override_that_looks_like_a_key_is_refused_and_not_repeated(own: Own, key: str) -> None:
    said = own.refused("plan", TONE, f"{key}=sk-proj-abcdefghijklmnop", "style.tonne=x")
    refusal = (
        f"command line: {key} looks like a secret\n"
        "    Overrides are written to run files.\n"
        "    Fix: put it in an environment variable and name the variable.\n"
    )
    assert refusal in said
    assert "command line: style.tonne=x: no key 'style.tonne'\n" in said
    assert "abcdefgh" not in said


@pytest.mark.parametrize(
    "text",
    [
        "x=sk-proj-abcdefghijklmnop",
        'x="Bearer sk-proj-abcdefghijklmnop"',
        "x=hf_abcdefghijklmnopqrstuvwx",
        "x=AKIAABCDEFGHIJKLMNOP",
        "provider.api_key=anything",
        "+provider.token=anything",
        "password=hunter2",
    ],
)
def test_these_look_like_secrets(text: str) -> None:
    assert secret(text) is not None


@pytest.mark.parametrize(
    "text",
    ["provider.api_key_env=OPENAI_API_KEY", "style.system=ask-before-you-act-on-anything", "x=sk-short", "token=null"],
)
def test_these_do_not_look_like_secrets(text: str) -> None:
    assert secret(text) is None
