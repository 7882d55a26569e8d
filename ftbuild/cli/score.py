"""`ftbuild score`: a scorer on recorded answers from anywhere. Asks no model."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from ftbuild.chat import Message, Tool, said
from ftbuild.cli.build import composed_of
from ftbuild.cli.options import Options
from ftbuild.cli.recorded import cluster, clusters, read_lines
from ftbuild.cli.scores_text import SCORES, Scored
from ftbuild.criteria import Criterion
from ftbuild.errors import ConfigError, DataError, ExitCode
from ftbuild.evaluate import scoring
from ftbuild.imports import yaml_text
from ftbuild.problem import Problem, nearest, render
from ftbuild.rows import line
from ftbuild.scorers import Case, GivenPassage, Score, Scorer, build
from ftbuild.scorers.judge import ORDERS
from ftbuild.settings import Style, StyleRules
from ftbuild.settings.evaluation import OPTIONS, Count, ScorerName, ScorerOptions, misplaced
from ftbuild.stats import interval
from ftbuild.store import durable

SCHEMA_VERSION = 1
CRITERIA: ScorerName = "criteria"
# Without it a scorer makes no value of a line.
LACKS: Mapping[str, str] = {
    "chrf": "a target",
    "criteria": "criteria, as tests of promptfoo and of Evals have them",
    "exact": "a target",
    "facts": "a target",
    "grounding": "passages, each with a name and a text",
    "json_schema": "a schema, that of the answer",
    "judge": "judgements, what a judge has replied to each order",
    "results": "the results of the calls",
    "rouge_l": "a target",
    "tool_calls": "a target with calls, and tools",
}
FORM = "--options '{KEY: VALUE, ...}', as under evaluation.scorers in a config"
NO_STYLE = Style(language="en", system="", rules=StyleRules())


def score(options: Options) -> int:
    """Print the score of every case and their mean; --out keeps them as lines that `ftbuild compare` takes.

    Raises:
        ConfigError: no such scorer or metric, or no such file.
        DataError: lines that are no cases, or none of which the scorer makes a value.
    """
    scorer, metric = _scorer(options)
    path = _path(options)
    read = read_lines(path, _recorded)
    cases = read.found
    scores = {
        name: _of(scorer, metric, each.case) if each.case is not None else Score(metric, None)
        for name, each in cases.items()
    }
    if all(each.value is None for each in scores.values()):
        raise DataError(_nothing(scorer, metric, path, any(each.case for each in cases.values())))
    groups = clusters({name: each.cluster for name, each in cases.items()}, path)
    if scorer.name == CRITERIA and read.warnings:
        print(render(read.warnings), file=sys.stderr)
    values = {name: each.value for name, each in scores.items() if each.value is not None}
    found = interval([*values.values()], [groups[name] for name in values] if groups else None)
    summary = {"n": found.n, "mean": found.mean, "low": found.low, "high": found.high}
    if options.out is not None:
        kept = [
            {"id": name, "value": each.value, "metric": metric}
            | ({"cluster": groups[name]} if groups else {})
            | ({"asked": cases[name].asked} if cases[name].asked is not None else {})
            for name, each in scores.items()
        ]
        durable.write(Path(options.out), b"".join(line(each) + b"\n" for each in kept))
        print(f"wrote {options.out}", file=sys.stderr)
    if options.format == "json":
        told = [{"id": name, "value": each.value, "detail": each.detail} for name, each in scores.items()]
        said_so = {"schema_version": SCHEMA_VERSION, "cases": told, "summary": summary}
        print(json.dumps(said_so, ensure_ascii=False, indent=1))
    else:
        scored = Scored(str(path), next(each for each in scorer.metrics if each.name == metric), scores, found)
        print(SCORES.get(options.format, _text)(scored))
    return int(ExitCode.DONE)


def _nothing(scorer: Scorer, metric: str, path: Path, answered: bool) -> Problem:
    """Return the finding that no case has a value, with what its lines would have to hold."""
    what = f"no case has a value of {metric}" + ("" if answered else ": every output is null")
    lacks = LACKS.get(scorer.name, "") if answered else ""
    return Problem(what, str(path), fix=f"give the lines {lacks}." if lacks else "give the lines what is scored.")


def _scorer(options: Options) -> tuple[Scorer, str]:
    """Return the scorer that is named, by itself or by one of its metrics, and the metric meant."""
    fix = "ftbuild score SCORER --cases FILE.jsonl"
    if len(options.words) != 1:
        raise ConfigError(Problem("score takes one scorer", "command line", fix=fix))
    [word] = options.words
    names: Sequence[ScorerName] = get_args(ScorerName)
    name = next((each for each in names if word == each or word.startswith(f"{each}.")), None)
    if name is None:
        close = nearest(word, names)
        there = f"the nearest is {close!r}." if close else f"there are {', '.join(names)}."
        raise ConfigError(Problem(f"no scorer {word!r}", "command line", fix=there))
    if options.mode is not None and name != "tool_calls":
        raise ConfigError(Problem(f"{name} has no --mode", "command line", fix="leave it out; tool_calls has one."))
    if name == "style" and not options.overrides:
        why = "A style is a list of rules, and this command names none."
        fix = f"ftbuild score {word} --cases FILE.jsonl +experiment=NAME"
        raise ConfigError(Problem("no style to score by", "command line", why=why, fix=fix))
    settings = composed_of(options).points[0].settings if options.overrides else None
    chosen = (settings.evaluation.scorers.get(name) if settings else None) or ScorerOptions()
    if options.options is not None or options.mode is not None:
        chosen = _chosen(name, options)
    if name == "constraints" and not chosen.constraints:
        fix = f"ftbuild score {word} --cases FILE.jsonl --options '{{words: {{at_most: 40}}}}'"
        raise ConfigError(Problem("no constraint to score by", "command line", fix=fix))
    if name == "grounding" and not chosen.abstains:
        fix = f"ftbuild score {word} --cases FILE.jsonl --options '{{abstains: [The handbook does not say]}}'"
        raise ConfigError(Problem("no phrase by which an answer abstains", "command line", fix=fix))
    [scorer] = build({name: chosen}, settings.style if settings else NO_STYLE)
    metrics = [each.name for each in scorer.metrics]
    metric = metrics[0] if word == name else word
    if metric not in metrics:
        close = nearest(metric, metrics)
        there = f"the nearest is {close!r}." if close else f"{name} gives {', '.join(metrics)}."
        raise ConfigError(Problem(f"{name} gives no metric {metric!r}", "command line", fix=there))
    return scorer, metric


def _chosen(name: ScorerName, options: Options) -> ScorerOptions:
    """Return the options of a scorer that the command line says.

    Raises:
        ConfigError: they are no options of that scorer.
    """
    try:
        said = yaml.safe_load(options.options) if options.options is not None else {}
        if not isinstance(said, dict):
            raise ValueError(f"{options.options!r} is no map")
        mode = {"mode": options.mode} if options.mode is not None else {}
        chosen = ScorerOptions.model_validate_json(json.dumps({**said, **mode}))
        if wrong := misplaced(name, chosen):
            raise ValueError(wrong)
    except ValidationError as error:
        raise ConfigError(*(_no_option(name, each) for each in error.errors())) from None
    except yaml.YAMLError as error:
        what, _ = yaml_text.problem(error)
        raise ConfigError(Problem(f"--options: {what}", "command line", fix=FORM)) from None
    except (ValueError, TypeError) as error:
        raise ConfigError(Problem(f"--options: {error}", "command line", fix=FORM)) from None
    return chosen


def _no_option(name: ScorerName, detail: Any) -> Problem:
    """Return in words what pydantic refuses of the options of a scorer."""
    at = ".".join(map(str, detail["loc"]))
    if detail["type"] != "extra_forbidden":
        return Problem(f"--options: {at + ': ' if at else ''}{detail['msg']}", "command line", fix=FORM)
    known = OPTIONS.get(name, ()) if len(detail["loc"]) == 1 else [*Count.model_fields]
    close = nearest(str(detail["loc"][-1]), known)
    there = f"the nearest is {close!r}." if close else f"there are {', '.join(known)}." if known else "leave it out."
    return Problem(f"--options: {name} has no {at!r}", "command line", fix=there)


def _path(options: Options) -> Path:
    if options.cases is None:
        fix = "--cases FILE.jsonl, with a line a case: id, output, target, and tools, schema and cluster if there are"
        raise ConfigError(Problem("score takes the cases from a file", "command line", fix=fix))
    return Path(options.cases)


def _of(scorer: Scorer, metric: str, case: Case) -> Score:
    return next(each for each in scoring.scores(scorer, case) if each.metric == metric)


@dataclass(frozen=True)
class _Recorded:
    """A case, None where there is no answer, the cluster it belongs to, and its question where the file says so."""

    case: Case | None
    cluster: str | None
    asked: str | None


def _recorded(value: Mapping[str, Any]) -> _Recorded:
    """Return what a line holds; its output is null where there is no answer.

    Raises:
        ValueError: it is none; says why.
    """
    case = None if value.get("output", ...) is None else _case(value)
    return _Recorded(case, cluster(value), value.get("asked"))


def _case(value: Mapping[str, Any]) -> Case:
    """Return the case of a line.

    Raises:
        ValueError: it is none; says why.
    """
    output = _message(value, "output")
    referenced = value.get("target", ...) is not None  # null says that there is none
    target = _message(value, "target") if referenced else Message("assistant", "")
    accepted = value.get("accepted")
    if accepted is not None and len(accepted) != len(target.tool_calls):
        raise ValueError(f"accepted has {len(accepted)} entries for {len(target.tool_calls)} calls of the target")
    passages = value.get("passages") or ()
    schema = value.get("schema")
    if schema is not None and not isinstance(schema, Mapping):
        raise ValueError("schema is no JSON object")
    return Case(
        id=str(value["id"]),
        input=str(value.get("input", "")),
        target=said(target),
        output=said(output),
        wanted=target.tool_calls,
        sent=output.tool_calls,
        tools=_tools(value.get("tools") or ()),
        accepted=accepted,
        schema=schema,
        passages=[_passage(each) for each in passages],
        judgements=_replies(value.get("judgements") or ()),
        criteria=[Criterion.from_json(each) for each in value.get("criteria") or ()],
        referenced=referenced,
    )


def _passage(value: Any) -> GivenPassage:
    given = value if isinstance(value, Mapping) else {}
    name, text, gold = given.get("name"), given.get("text"), given.get("gold")
    if not isinstance(name, str) or not isinstance(text, str) or not isinstance(gold, bool | None):
        raise ValueError("passages: each has a name and a text, and gold is true or false where it is known")
    return GivenPassage(name, text, gold)


def _replies(found: Sequence[Any]) -> list[str]:
    if len(found) not in (0, ORDERS) or not all(isinstance(each, str) for each in found):
        raise ValueError("judgements: two replies of a judge, output first and target first")
    return list(found)


def _message(value: Mapping[str, Any], name: str) -> Message:
    found = value.get(name)
    if isinstance(found, str):
        return Message("assistant", found)
    if not isinstance(found, Mapping):
        raise ValueError(f"no {name}: an assistant message, or its text")
    try:
        return Message.from_json({"role": "assistant", "content": None, **found})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{name}: tool_calls are not as chat completions spell them ({error})") from None


def _tools(found: Sequence[Mapping[str, Any]]) -> list[Tool]:
    try:
        return [Tool.from_json(each) for each in found]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"tools are not as chat completions spell them ({error})") from None


def _text(scored: Scored) -> str:
    width = max(map(len, scored.scores))
    lines = [
        f"{name:{width}}   {'no value' if each.value is None else f'{each.value:.3f}'}"
        for name, each in scored.scores.items()
    ]
    return "\n".join([*lines, scored.said()])
