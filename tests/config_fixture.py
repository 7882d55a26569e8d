"""A project with a conf/ of its own, in which `ftbuild` runs in this process: for what only reads."""

import io
import os
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from ftbuild.cli.dispatch import run
from ftbuild.defaults_lists import few

CONF = Path(__file__).parents[1] / "conf"
TONE = "+experiment=tone_formal"
CONFIG_HAS = (
    "the config has seed, goal, dataset, style, tools, schemas, retrieval, request, model, method, provider, "
    "evaluation, judge, teacher, tracker, budget, sweep, round."
)
STYLE_HAS = "style has language, system, rules, slang, expand. For another style: style=formal."
GROUPS = "goal, source, dataset, style, tools, retrieval, model, method and 8 more"


def there_are(group: str, *own: str) -> str:
    """Return how a message lists the options of a group: ours and the project's `own`."""
    return f"there are {few(sorted([*(path.stem for path in (CONF / group).glob('*.yaml')), *own]))}."


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Own:
    """A project folder."""

    folder: Path

    def write(self, path: str, text: str) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(dedent(text).lstrip("\n"), encoding="utf-8")

    def experiment(self, name: str, text: str) -> None:
        self.write(f"conf/experiment/{name}.yaml", "# @package _global_\n" + dedent(text).lstrip("\n"))

    def run(self, *arguments: str, below: str = "", columns: int = 100) -> Ended:
        where = self.folder / below
        where.mkdir(parents=True, exist_ok=True)
        out, err = io.StringIO(), io.StringIO()
        before = os.environ.get("COLUMNS")
        os.environ["COLUMNS"] = str(columns)
        try:
            with chdir(where), redirect_stdout(out), redirect_stderr(err):
                code = run(arguments)
        finally:
            os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)
        return Ended(code, out.getvalue(), err.getvalue())

    def refused(self, *arguments: str) -> str:
        """Return what a command says that the config makes impossible."""
        ended = self.run(*arguments)
        assert (ended.code, ended.out) == (2, "")
        return ended.err
