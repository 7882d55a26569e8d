"""A point of a sweep is what its own overrides compose to, whatever it shares with the other points."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from config_fixture import TONE, Own
from hypothesis import given, settings
from hypothesis import strategies as st

from ftbuild.compose import Composed, compose, compose_sweep
from ftbuild.config_problems import ordered
from ftbuild.errors import ConfigError

Drawn = tuple[str, str, list[str]]  # prefix, key, values

# All settings in one file and a group, so that one composition takes a few milliseconds.
CONFIG = """
    defaults:
      - style: ???
      - _self_
    seed: 7
    goal:
      metric: style.all_kept
      require: {enough: {at_least: 0.5}, beaten: {beats: base, by: 0.1}}
    dataset:
      sources:
        pairs: {kind: pairs, path: p.jsonl, input: a, target: b, group: g, licence: CC0-1.0, origin: here}
      split: {validation: 0.1, test: 0.2, seed: 3}
      limit: null
    request: {temperature: 0, max_completion_tokens: 20}
    model: {id: tiny, title: Tiny, licence: CC0-1.0, random: {hidden_size: 8, layers: 1, heads: 1, seed: 0}}
    method: {type: supervised, hyperparameters: {n_epochs: 1, batch_size: auto}}
    provider: {kind: embedded, settle_seconds: 0, idle_seconds: 1, poll_seconds: 1, threads: auto}
    evaluation:
      arms: {base: {kind: base}, tuned: {kind: tuned}, rules: {kind: rules, substitute: {hey: hello}}}
      scorers: {style: {}}
      concurrency: 2
    tracker: {kind: local}
"""
STYLES = {
    "plain": "language: en\nsystem: Write.\nrules: {emoji: never, banned: [a, b]}\nexpand: {u: you}\n",
    "linked": "language: en\nsystem: Write ${seed} ${style.language}.\nrules: {emoji: never}\nexpand: ${evaluation.arms.rules.substitute}\n",
    "relative": "language: en\nsystem: In ${.language}.\nrules: {emoji: never}\nexpand: {u: you, b: '${.u}'}\n",
    "outside": "language: en\nsystem: '${oc.env:FTBUILD_NOT_SET,unset}'\nrules: {emoji: never}\n",
}
KEYS = [
    "seed",
    "goal.require.enough",
    "goal.require.enough.at_least",
    "goal.require.new",
    "dataset.limit",
    "dataset.sources.pairs",
    "dataset.sources.pairs.slices",
    "dataset.split.seed",
    "method.hyperparameters.n_epochs",
    "evaluation.arms.rules",
    "evaluation.arms.rules.substitute",
    "evaluation.arms.rules.substitute.hey",
    "style.system",
    "style.expand",
    "style.expand.u",
    "style.expand.v.w",
    "style.rules",
    "style.rules.banned",
    "style.rules.banned.0",
    "style.sytem",
    "tracker",
    "unknown",
    "local",
]
VALUES = [
    "1",
    "2",
    "0.25",
    "-3",
    "nan",
    "null",
    "true",
    "word",
    "two words",
    '""',
    '"a, b: {c} \\"d\\""',
    "'12'",
    '"丁寧に"',
    "${seed}",
    "${style.system}",
    "'a ${seed} b'",
    "${.system}",
    "${dataset.${style.language}}",
    "${nowhere.at_all}",
    "${oc.env:FTBUILD_NOT_SET}",
    "${oc.env:FTBUILD_NOT_SET,z}",
    "${oc.select:hydra.job.name,z}",
    "${evaluation.arms.rules.substitute}",
    "???",
    "[]",
    "[x,y]",
    "[1,'${seed}']",
    "{}",
    "{at_least: 0.3}",
    "{k: v}",
    "{hey: null, z: {y: 1}}",
]
keys = st.sampled_from(KEYS)
values = st.sampled_from(VALUES)
swept = st.tuples(st.sampled_from(["", "+", "++"]), keys, st.lists(values, min_size=2, max_size=2))
fixed = st.tuples(st.sampled_from(["", "+", "++"]), keys, values.map(lambda value: [value]))
taken_out = keys.map(lambda key: ("~", key, []))
style = st.just(("", "style", ["plain", "linked"]))


def told(composed: Composed) -> tuple[Any, ...]:
    """Return all that a composition says, the order of its keys too."""
    return (
        composed.experiment,
        composed.description,
        composed.overrides,
        json.dumps(composed.tree),
        composed.settings.model_dump_json(),
        list(composed.origins.items()),
    )


def alone(root: Path, points: list[tuple[str, ...]]) -> object:
    """Return what each point composes to by itself, or all that is wrong in them."""
    found, problems = [], []
    for point in points:
        try:
            found.append(told(compose(root, point)))
        except ConfigError as error:
            problems += error.problems
    return ordered(problems) or found


def together(root: Path, asked: list[str]) -> object:
    try:
        return [told(each) for each in compose_sweep(root, asked)]
    except ConfigError as error:
        return list(error.problems)


def ended(call: Any, *arguments: Any) -> object:
    """Return what a call returns, or the error that Hydra does not translate."""
    try:
        return call(*arguments)
    except (ValueError, TypeError, AssertionError, IndexError) as error:
        return type(error), str(error)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    own = Own(tmp_path_factory.mktemp("small"))
    own.write("conf/config.yaml", CONFIG)
    for name, text in STYLES.items():
        own.write(f"conf/style/{name}.yaml", text)
    return own.folder


def points_of(asked: list[list[str]]) -> list[tuple[str, ...]]:
    return list(product(*asked))


@settings(max_examples=20)
@given(st.sampled_from(list(STYLES)), swept | style, st.lists(fixed | taken_out, max_size=2))
def test_a_sweep_composes_to_what_its_points_compose_to(
    small: Path, style: str, first: Drawn, rest: list[Drawn]
) -> None:
    said = [[f"style={style}"]]
    asked = [f"style={style}"]
    for prefix, key, choices in [first, *rest]:
        sweeps = len(choices) > 1
        asked.append(f"{prefix}{key}={','.join(choices)}" if choices else f"{prefix}{key}")
        said.append([f"{prefix}{key}={each}" for each in choices] if sweeps else [asked[-1]])
    assert ended(together, small, asked) == ended(alone, small, points_of(said))


@pytest.mark.parametrize(
    "swept",
    [
        ["method.hyperparameters.n_epochs=1,2", "seed=3,4"],
        ["style.system='a','b ${seed}'", "seed=3,4"],
        ["model=smollm2,tiny", "dataset.limit=20,null"],
        ["~dataset.sources.pairs", "goal.require.beats_rules.by=0.1,0.2"],
        ["+source@dataset.sources.more=tone_pairs", "dataset.sources.more.only=train,test"],
        ["style.expand={u: you},{v: w}", "style.rules.banned=[a],[b,c]"],
        ["method.hyperparameters.n_epochs=0,1,many", "sed=1,2"],
    ],
)
def test_a_sweep_of_the_shipped_experiment_composes_to_what_its_points_compose_to(
    tmp_path: Path, swept: list[str]
) -> None:
    said = [
        [f"{each.partition('=')[0]}={value}" for value in parts(each)] if each[0] not in "~+" else [each]
        for each in swept
    ]
    assert together(tmp_path, [TONE, *swept]) == alone(tmp_path, [(TONE, *point) for point in points_of(said)])


def parts(override: str) -> list[str]:
    """Return the values of a swept override; commas inside brackets are none of the sweep's."""
    value = override.partition("=")[2]
    return value.replace("],[", "]\0[").split("\0") if "[" in value else value.split(",")
