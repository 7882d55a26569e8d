"""A point of a sweep is what its own overrides compose to, whatever it shares with the other points."""

import json
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from config_fixture import TONE, Own
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

from ftbuild.compose import Composed, _Trees, compose, compose_sweep
from ftbuild.config_problems import ordered
from ftbuild.errors import ConfigError

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
    "linked": "language: en\nsystem: Write ${seed} ${style.language}.\nrules: {emoji: never}\n"
    "expand: ${evaluation.arms.rules.substitute}\n",
    "relative": "language: en\nsystem: In ${.language}.\nrules: {emoji: never}\nexpand: {u: you, b: '${.u}'}\n",
    "outside": "language: en\nsystem: '${oc.env:FTBUILD_NOT_SET,unset}'\nrules: {emoji: never}\n",
}
NUMBERS = ["1", "2", "${seed}", "${dataset.split.seed}"]
TEXTS = [
    "word",
    "two words",
    '""',
    '"a, b: {c} \\"d\\""',
    "'12'",
    '"丁寧に"',
    "'a ${seed} b'",
    "${.language}",
    "${style.language}",
    "${evaluation.arms.rules.substitute.hey}",
    "'${goal.require.${style.language}}'",
    "${oc.env:FTBUILD_NOT_SET,z}",
    "${oc.select:hydra.job.name,z}",
    "???",
]
LISTS = ["[]", "[x,y]", "[x,'${seed}']", "[z,'${style.system}']"]
MAPS = ["{}", "{k: v}", "{hey: hi, z: '${style.system}'}", "${evaluation.arms.rules.substitute}", "${style.expand}"]
FITTING = {
    "seed": NUMBERS,
    "dataset.limit": ["null", "20", "5"],
    "dataset.split.seed": NUMBERS,
    "goal.require.enough": ["null", "{at_least: 0.3}", "{slice: 'source=pairs'}"],
    "goal.require.enough.at_least": ["0.25", "1"],
    "goal.require.new": ["{beats: base}", "{at_most: 0.3, slice: 'source=pairs'}", "${goal.require.enough}"],
    "dataset.sources.pairs.slices": MAPS,
    "method.hyperparameters.n_epochs": NUMBERS,
    "evaluation.arms.rules": ["null", "{kind: echo, substitute: {}}", "{opening: Hello.}"],
    "evaluation.arms.rules.substitute": MAPS,
    "evaluation.arms.rules.substitute.hey": TEXTS,
    "evaluation.arms.more": ["{kind: echo}", "${evaluation.arms.rules}"],
    "style.system": TEXTS,
    "style.expand": MAPS,
    "style.expand.u": TEXTS,
    "style.expand.v": TEXTS,
    "style.rules": ["{banned: [q]}", "{emoji: null}"],
    "style.rules.banned": LISTS,
    "style.slang": LISTS,
    "style.rules.banned.0": TEXTS,
}
ODD = [
    "nan",
    "null",
    "true",
    "-3",
    "{z: {y: 1}}",
    "[1]",
    "${nowhere.at_all}",
    "${oc.env:FTBUILD_NOT_SET}",
    "'${..seed}'",
]
KEYS = [*FITTING, "style.sytem", "style.expand.v.w", "dataset.sources.pairs", "tracker", "unknown", "local"]
Drawn = tuple[str, str, list[str]]  # prefix, key, values


def drawn(n_values: int) -> st.SearchStrategy[Drawn]:
    """Draw values that fit their key, now and then any value of any key."""
    prefixes = st.sampled_from(["", "", "++", "+"])
    some = st.sampled_from(KEYS).flatmap(
        lambda key: st.tuples(prefixes, st.just(key), values(FITTING.get(key, ODD), n_values))
    )
    return st.one_of(some, some, some, st.tuples(prefixes, st.sampled_from(KEYS), values(ODD, n_values)))


def values(choices: list[str], n: int) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(choices), min_size=n, max_size=n)


taken_out = st.sampled_from(KEYS).map(lambda key: ("~", key, list[str]()))
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
    """Return what Hydra composes each point to by itself, or all that is wrong in them."""
    found, problems = [], []
    with patch.object(_Trees, "_by_merging", return_value=None):
        for point in points:
            try:
                found.append(told(compose(root, point)))
            except ConfigError as error:
                problems += error.problems
    return ordered(problems) or found


def together(root: Path, asked: list[str]) -> object:
    try:
        return [told(each) for each in compose_sweep(root, asked).points]
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


def points_of(asked: list[str]) -> list[tuple[str, ...]]:
    """Return the overrides of each point, each as Hydra spells it."""
    parser = OverridesParser.create()
    choices = []
    for text in asked:
        parsed = parser.parse_override(text)
        spelt = parsed.sweep_string_iterator() if parsed.is_sweep_override() else []
        choices.append([f"{parsed.get_key_element()}={value}" for value in spelt] or [text])
    return list(product(*choices))


@pytest.mark.slow
@settings(max_examples=10)  # a full composition a point is slow
@given(st.sampled_from(list(STYLES)), drawn(2) | style, st.lists(drawn(1) | drawn(1) | taken_out, max_size=2))
def test_a_sweep_composes_to_what_its_points_compose_to(
    small: Path, style: str, first: Drawn, rest: list[Drawn]
) -> None:
    asked = [f"style={style}"]
    for prefix, key, choices in [first, *rest]:
        asked.append(f"{prefix}{key}={','.join(choices)}" if choices else f"{prefix}{key}")
    assert ended(together, small, asked) == ended(alone, small, points_of(asked))


@pytest.mark.slow
@pytest.mark.parametrize(
    "swept",
    [
        ["method.hyperparameters.n_epochs=1,2", "seed=3,4"],
        ["model=smollm2,tiny", "dataset.limit=20,null"],
        ["~dataset.sources.pairs", "goal.require.beats_rules.by=0.1,0.2"],
        ["style.expand={u: you},{v: w}", "style.rules.banned=[a],[b,c]"],
        ["method.hyperparameters.n_epochs=0,1,many", "sed=1,2"],
    ],
)
def test_a_sweep_of_the_shipped_experiment_composes_to_what_its_points_compose_to(
    tmp_path: Path, swept: list[str]
) -> None:
    assert together(tmp_path, [TONE, *swept]) == alone(tmp_path, points_of([TONE, *swept]))


def test_points_share_what_their_values_do_not_reach(small: Path) -> None:
    first, second = compose_sweep(small, ["style=linked", "seed=1,2"]).points
    equal = {name for name in first.tree if first.tree[name] is second.tree[name]}
    assert set(first.tree) - equal == {"seed", "style", "evaluation"}  # the style looks at the two others
    assert (first.tree["style"]["system"], second.tree["style"]["system"]) == ("Write 1 en.", "Write 2 en.")
    assert first.origins.files is second.origins.files
