"""Verbs, options and exit codes: what is typed wrong is answered with the command that was meant."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from config_fixture import CONF, TONE, Own

from ftbuild import __version__

VERBS = (
    "build, dataset, train, evaluate, report, plan, why, show, diff, runs, check, score, compare, jobs, watch, cancel, "
    "pause, resume, retry, "
    "adopt, blame, retract, verify, gc, improve, sample, accept, promote, export, chat, serve, "
    "init, fetch, doctor, schema, completion"
)


@pytest.fixture
def own(tmp_path: Path) -> Own:
    return Own(tmp_path)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            ["pln", "+experiment=tone_formal"],
            "'pln' is neither a verb nor an override\n    Fix: ftbuild plan +experiment=tone_formal\n",
        ),
        (
            ["plan", "tone_formal", "seed=3"],
            "'tone_formal' is neither a verb nor an override\n    Fix: ftbuild plan +experiment=tone_formal seed=3\n",
        ),
        (
            ["tone_forml", "--smoke"],
            "'tone_forml' is neither a verb nor an override\n    Fix: ftbuild +experiment=tone_formal --smoke\n",
        ),
        (
            ["+experiment=tone_formal", "style.system=a b", "plan"],
            "'plan' stands behind other words\n    Fix: ftbuild plan +experiment=tone_formal 'style.system=a b'\n",
        ),
        (["help"], "'help' is neither a verb nor an override\n    Fix: ftbuild --help\n"),
        (
            ["frobnicate"],
            "'frobnicate' is neither a verb nor an override\n"
            f"    Fix: the verbs are {VERBS}; an override is written key=value.\n",
        ),
        (
            ["plan", "+experiment"],
            "'+experiment' is neither a verb nor an override\n"
            "    Fix: an override is written key=value; ftbuild --help lists the verbs.\n",
        ),
        (
            ["plan", "--formt", "json"],
            "no option '--formt'\n    Fix: the nearest is --format; ftbuild --help lists them.\n",
        ),
        (
            ["--api-key=sk-abcdefghijklmnop"],
            "no option '--api-key'\n    Fix: the nearest is --api-key-env; ftbuild --help lists them.\n",
        ),
        (
            ["--qqq=sk-abcdefghijklmnop"],
            "no option '--qqq'\n"
            "    Fix: there are --multirun, --smoke, --cfg, --jobs, --ray, --keep-going, --locked, --plan, --format, "
            "--yes, --max-cost, --help, --version.\n",
        ),
        (["plan", "--format", "xml"], "--format takes text or json or mermaid, not 'xml'\n    Fix: --format mermaid\n"),
        (["plan", "--format"], "--format takes text or json or mermaid, not ''\n    Fix: --format mermaid\n"),
        (["build", "--format", "json"], "build has no --format json\n    Fix: ftbuild plan ... --format json\n"),
        (["export", "latest", ""], "the folder has no name\n    Fix: ftbuild export latest DIR\n"),
        (
            ["serve", "--ray", "local"],
            "--ray local: a cluster of this machine alone trains no more than a server does without one\n"
            "    Fix: --ray auto, --ray HOST:PORT, or none.\n",
        ),
        (["--cfg", "all"], "--cfg takes job, not 'all'\n    Fix: --cfg job\n"),
    ],
)
def test_a_word_typed_wrong_is_answered_with_the_right_one(own: Own, typed: list[str], said: str) -> None:
    assert own.refused(*typed) == f"command line: {said}"


def test_version(own: Own) -> None:
    ended = own.run("--version")
    assert (ended.code, ended.out, ended.err) == (0, f"ftbuild {__version__}\n", "")


def test_a_broken_line_in_a_source_ends_with_1_and_its_place(own: Own) -> None:
    own.write("mails.jsonl", '{"casual": "hi", "formal": "Hello.", "situation": "a"}\n{"casual" "hi"}\n')
    ended = own.run(TONE, "dataset.sources.pairs.path=mails.jsonl")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.endswith(
        "mails.jsonl:2: not JSON (column 11: expecting ':' delimiter)\n"
        "    Fix: mend the line; every line is one JSON object.    not-json\n"
    )


def test_python_m_ftbuild_is_ftbuild(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ftbuild", "plan", "+experiment=tone_forml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("command line: experiment=tone_forml: no option 'tone_forml' in conf/experiment\n")


@pytest.mark.parametrize("arguments", [["plan", TONE, "--format", "json"], ["--help"]])
def test_a_reader_that_goes_away_is_no_error(tmp_path: Path, arguments: list[str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "ftbuild", *arguments], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr:
        assert (process.stderr.read(), process.wait()) == (b"", 0)


FULL = "standard output: cannot be written: no space left on device\n    Fix: free space there, then again.\n"


@pytest.mark.parametrize(
    ("arguments", "to", "ends", "said"),
    [
        ("runs", ">&-", 0, ""),
        ("runs", ">&- 2>&- <&-", 0, ""),
        ("--help", "> /dev/full", 5, FULL),
        ("pln", "2> /dev/full", 2, ""),
    ],
)
def test_output_that_leads_nowhere_ends_without_a_traceback(
    tmp_path: Path, arguments: str, to: str, ends: int, said: str
) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m ftbuild {arguments} {to}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (ends, said)


def test_letters_that_the_terminal_does_not_know_are_replaced(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    words = [sys.executable, "-m", "ftbuild", TONE, "style.system='Höflich'", "--cfg", "job"]
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"system: H?flich" in done.stdout


READS = """
import json, sys
from ftbuild.cli.dispatch import run
code = run(json.loads(sys.argv[1]))
heavy = {"torch", "openai", "wandb", "sacrebleu", "scipy", "transformers", "tokenizers", "starlette"}
print(json.dumps([code, sorted(heavy & set(sys.modules))]), file=sys.stderr)
"""


def listing(folder: Path) -> list[tuple[str, int, int]]:
    return sorted(
        (path.relative_to(folder).as_posix(), path.stat().st_mtime_ns, path.stat().st_size)
        for path in folder.rglob("*")
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--help"],
        [TONE, "--cfg", "job"],
        ["plan", TONE],
        ["plan", TONE, "--smoke"],
        ["plan", TONE, "--format=json"],
    ],
    ids=" ".join,
)
def test_a_reading_verb_writes_nothing_and_loads_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    if len(arguments) < 2:  # half of them where nothing was ever built
        (tmp_path / "outputs/.ftbuild/records").mkdir(parents=True)
    before = listing(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", READS, json.dumps(arguments)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert json.loads(done.stderr) == [0, []]
    assert listing(tmp_path) == before


def test_help_fits_and_names_every_verb_option_and_experiment(own: Own) -> None:
    ended = own.run("--help", columns=72)
    assert (ended.code, ended.err) == (0, "")
    assert max(map(len, ended.out.splitlines())) <= 72
    named = ["  build ", "  plan ", "  jobs ", "  retry ", "  cancel ", "-m, --multirun", "--smoke", "--cfg job"]
    named += [f"  {path.stem} " for path in (CONF / "experiment").glob("*.yaml")]
    assert [name for name in named if name not in ended.out] == []
