"""`ftbuild check`: lint training files of anyone. Needs no project; writes nothing but what --fix asks for."""

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from ftbuild import packed
from ftbuild.cli.ci import Case, Failure, Suite, annotation, junit
from ftbuild.cli.options import Options
from ftbuild.cli.reading import reading
from ftbuild.errors import ConfigError, ExitCode
from ftbuild.problem import Problem, render
from ftbuild.report.words import count
from ftbuild.rows import BLANK, Rows, read
from ftbuild.rules import files
from ftbuild.rules.lines import recognised
from ftbuild.rules.mend import Change, mend
from ftbuild.rules.pack import DEFAULT, PACKS, RULES, Method, Pack, found
from ftbuild.store import durable

SCHEMA_VERSION = 1
OF_OTHER_LAYOUTS = (".csv", ".parquet", ".py", ".md", ".txt")
ENDINGS = tuple(f".jsonl{ending}" for ending in ("", *packed.ENDINGS))


def check(options: Options) -> int:
    """Print what is wrong with the files; 1 if anything is an error.

    Raises:
        ConfigError: there is no such file.
        DataError: a file cannot be read.
    """
    if not options.words:
        raise ConfigError(Problem("check takes files", "command line", fix="ftbuild check FILE.jsonl"))
    method, pack = cast("Method | None", options.method), PACKS[options.provider or DEFAULT]
    mended = [_mended(path, method, pack) for path in _named(options.words)] if options.fix else []
    paths = [each.path for each in mended] or list(_named(options.words))
    seen: files.Prompts | None = {} if len(paths) > 1 else None
    guard = _guard(list(_named(options.against)), method, pack) if options.against else None
    checked = [_check(path, method, pack, seen, guard) for path in paths]
    problems = [problem for each in checked for problem in each.problems]
    form = {"json": _json, "github": _github, "junit": _junit}.get(options.format, _text)
    if options.fix and options.format == "text":
        print(_changes(mended))
    print(form(checked, problems))
    return int(ExitCode.DATA if any(each.severity == "error" for each in problems) else ExitCode.DONE)


def _named(words: Sequence[str]) -> Iterator[Path]:
    """Yield the files that are named, those of a folder in the order of their names."""
    for word in words:
        path = Path(word)
        if path.is_dir():
            found = sorted(each for each in path.rglob("*") if _is_training_file(each))
            if not found:
                fix = f"name a file; its name ends with {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}."
                raise ConfigError(Problem("no training file in this folder", word, fix=fix))
            yield from found
        elif packed.plain_name(path.name).lower().endswith(OF_OTHER_LAYOUTS) and path.is_file():
            fix = f"read it as a source, ftbuild init NAME --from {shlex.quote(word)}; its dataset can be checked."
            raise ConfigError(Problem("no training lines, by its name", word, fix=fix))
        else:
            yield path


@dataclass(frozen=True)
class _Mended:
    """A file and what was changed in it; without changes it is the file that was named, else a new one beside it."""

    path: Path
    named: Path
    changes: Sequence[tuple[int, Change]] = ()


def _mended(path: Path, method: Method | None, pack: Pack) -> _Mended:
    """Write what can be mended of a file into a new one beside it, if there is anything.

    Raises:
        ConfigError: there is no such file, or the new one is there already.
        DataError: the file cannot be read.
    """
    target = path.with_name(f"{packed.plain_name(path.name).removesuffix('.jsonl')}.fixed.jsonl")
    changes: list[tuple[int, Change]] = []
    written: list[bytes] = []
    with reading(path) as file:
        rows = read(file)
        if rows.layout != "lines" or rows.encoding != "utf-8" or rows.bom:
            changes.append((1, Change(_why_anew(rows), "", "written as JSON lines in UTF-8")))
        for row in rows.rows:
            if row.problems:
                if not row.content and row.problems[0].rule != BLANK:
                    return _Mended(path, path)  # what comes after it cannot be read, and must not get lost
                if row.content:
                    written.append(row.content)
                else:
                    changes.append((row.line, Change(BLANK, "", "taken out")))
                continue
            method = method or recognised(row.value)
            value, made = mend(row.value, method, pack)
            changes += [(row.line, each) for each in made]
            as_it_was = rows.layout == "lines" and not made
            written.append(row.content if as_it_was else json.dumps(value, ensure_ascii=False).encode())
    if not changes:
        return _Mended(path, path)
    content = b"".join(line + b"\n" for line in written)
    if target.exists() and target.read_bytes() != content:
        fix = "move it away, or delete it."
        raise ConfigError(Problem("is there already, and --fix would write it", str(target), fix=fix))
    durable.write(target, content)
    return _Mended(target, path, changes)


def _why_anew(rows: Rows) -> str:
    """Return the rule for which a file is written in another way."""
    if rows.layout != "lines":
        return "not-json-lines"
    return "byte-order-mark" if rows.encoding == "utf-8" else "utf-16"


def _changes(mended: Sequence[_Mended]) -> str:
    """Return what was changed, a line a change."""
    lines = []
    for each in mended:
        for line, change in each.changes:
            at = f" {change.at}:" if change.at else ""
            lines.append(f"{each.named}:{line}:{at} {change.what}    {change.rule}")
        if each.changes:
            lines.append(f"wrote {each.path}: {count(len(each.changes), 'change')}\n")
    return "\n".join(lines) if lines else "Nothing to mend.\n"


def _is_training_file(path: Path) -> bool:
    beside = path.name == "provenance.jsonl" and path.with_name("manifest.json").exists()
    return path.name.endswith(ENDINGS) and path.is_file() and not beside


def _guard(tests: Sequence[Path], method: Method | None, pack: Pack) -> files.Guard:
    """Return what holds an example before those of files that test.

    Raises:
        DataError: a line of them is not sound, and nothing could be held before it.
    """
    from ftbuild.dataset.wall import Wall

    guarded: list[dict[str, Any]] = []
    for path in tests:
        with reading(path) as file:
            guarded += files.examples(read(file), str(path), method, pack)
    wall = Wall(guarded)

    def twin(example: dict[str, Any]) -> Problem | None:
        found = wall.twin(example)
        return replace(found.problem("", 0), line=None) if found else None

    return twin


def _check(
    path: Path, method: Method | None, pack: Pack, seen: files.Prompts | None, guard: files.Guard | None
) -> files.Checked:
    with reading(path) as file:
        checked = files.check(read(file), str(path), method, pack, seen, guard)
    if packed.plain_name(path.name) == path.name:
        return checked
    problem = replace(found("compressed-file", "", "compressed"), path=str(path))
    return replace(checked, problems=(problem, *checked.problems))


def _json(checked: Sequence[files.Checked], _problems: Sequence[Problem]) -> str:
    told = {
        "schema_version": SCHEMA_VERSION,
        "files": [
            {
                "path": each.path,
                "n_lines": each.n_lines,
                "n_examples": each.n_examples,
                "n_tokens": each.n_tokens,
                "problems": [
                    {
                        "rule": problem.rule,
                        "severity": problem.severity,
                        "line": problem.line,
                        "path": problem.at,
                        "message": problem.what,
                        "why": problem.why,
                        "fix": problem.fix,
                        "source": RULES[problem.rule].source,
                    }
                    for problem in each.problems
                ],
            }
            for each in checked
        ],
    }
    return json.dumps(told, ensure_ascii=False, indent=1)


def _text(checked: Sequence[files.Checked], problems: Sequence[Problem]) -> str:
    counts = _counts(checked, problems)
    return f"{render(problems)}\n\n{counts}" if problems else counts


def _counts(checked: Sequence[files.Checked], problems: Sequence[Problem]) -> str:
    n_errors = sum(problem.severity == "error" for problem in problems)
    found = ", ".join(count(n, what) for n, what in ((n_errors, "error"), (len(problems) - n_errors, "warning")) if n)
    read = count(sum(each.n_lines for each in checked), "line")
    where = count(len(checked), "file")
    tokens = count(sum(each.n_tokens for each in checked), "token")
    if not problems:
        return f"No problems in {where}, {read} read, {tokens}."
    return f"{found} in {where}, {read} read, {tokens}."


def _github(checked: Sequence[files.Checked], problems: Sequence[Problem]) -> str:
    """Return an annotation a finding."""
    lines = [_annotation(each) for each in problems]
    return "\n".join([*lines, _counts(checked, problems)])


def _annotation(problem: Problem) -> str:
    at = f"{problem.at}: " if problem.at else ""
    text = "\n".join(
        part for part in (f"{at}{problem.what}", problem.why, problem.fix and f"Fix: {problem.fix}") if part
    )
    return annotation(problem.severity, problem.rule, text, problem.path, problem.line)


def _junit(checked: Sequence[files.Checked], _problems: Sequence[Problem]) -> str:
    """Return JUnit XML: a test suite a file, a failing test case an error; warnings stand in system-out."""
    return junit([_suite(each) for each in checked])


def _suite(checked: files.Checked) -> Suite:
    cases = [
        Case(
            f"line {each.line}: {each.rule}" if each.line else each.rule,
            Failure(each.what, each.rule, str(each)),
        )
        for each in checked.problems
        if each.severity == "error"
    ]
    warnings = [str(each) for each in checked.problems if each.severity == "warning"]
    return Suite(checked.path, cases or [Case("no errors")], "\n".join(warnings))
