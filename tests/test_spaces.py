"""A search space: its points are those of a brute-force reference, each the very one that is typed by hand."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from config_fixture import TONE, Own
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.compose import Composed, compose, compose_sweep
from ftbuild.errors import ConfigError
from ftbuild.origins import Origins
from ftbuild.resolving import graph_of
from ftbuild.spaces import spelt, spread
from ftbuild.store.store import Store

EPOCHS, RATE = "method.hyperparameters.n_epochs", "method.hyperparameters.learning_rate_multiplier"


@pytest.fixture
def own(tmp_path: Path) -> Own:
    return Own(tmp_path)


def words(node: Any, **typed: Any) -> list[tuple[str, ...]]:
    """Return the words of every point; no text is a sweep of Hydra's here."""
    return [tuple(each.text for each in point) for point in spread(node, Origins({}), {}, typed, lambda *_: None)]


KEYS = ["a", "b.c", "d", "e"]
values = st.lists(st.integers(0, 3), min_size=1, max_size=3)
settings_of_a_point = st.dictionaries(st.sampled_from(KEYS), st.integers(0, 3), min_size=1, max_size=3)


@given(
    grid=st.dictionaries(st.sampled_from(KEYS[:2]), values, max_size=2),
    pairs=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=3),
    listed=st.lists(settings_of_a_point, max_size=3),
    excluded=st.lists(settings_of_a_point, max_size=2),
    typed=st.dictionaries(st.sampled_from(["a", "e"]), st.integers(0, 3), max_size=1),
)
def test_a_space_has_the_points_of_a_brute_force_reference(
    grid: dict[str, list[int]],
    pairs: list[tuple[int, int]],
    listed: list[dict[str, int]],
    excluded: list[dict[str, int]],
    typed: dict[str, int],
) -> None:
    """What is typed has one value wherever a space has others."""
    axes = [[{key: each} for each in ([typed[key]] if key in typed else found)] for key, found in grid.items()]
    axes += [[{"d": one, "e": other} for one, other in pairs]] if pairs else []
    multiplied = product(*axes) if axes else ()
    whole = [{key: each for part in parts for key, each in part.items()} for parts in multiplied]
    whole = [{**point, **typed} for point in [*whole, *listed]]
    expected = [point for point in whole if not any(each.items() <= point.items() for each in excluded)]
    node = {
        "grid": grid,
        "zip": {"de": {"d": [one for one, _ in pairs], "e": [other for _, other in pairs]}} if pairs else {},
        "list": listed,
        "exclude": excluded,
    }
    idle = [each for each in excluded if not any(each.items() <= point.items() for point in whole)]
    if not expected or any(not each.keys() & typed.keys() for each in idle):
        with pytest.raises(ConfigError):
            words(node, **typed)
    else:
        assert [{**dict(map(_read, each)), **typed} for each in words(node, **typed)] == expected


def _read(word: str) -> tuple[str, int]:
    key, _, value = word.partition("=")
    return key, int(value)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"[a-z_]+", fullmatch=True), inner),
    max_leaves=6,
)


@given(anything)
def test_hydra_reads_a_spelt_value_as_it_was(value: Any) -> None:
    assert OverridesParser.create().parse_override(f"key={spelt(value)}").value() == value


def test_an_entry_that_is_null_is_taken_out_and_a_map_says_a_key_that_goes_on() -> None:
    node = {
        "grid": {"a": None, "b.c": [1, 2], "b": {"c": [3], "d": [4]}},
        "zip": {"one": None, "other": {"e": None}},
        "list": [{"a": {"b": 5}}],
    }
    assert words(node) == [("b.c=3", "b.d=4"), ("a={b:5}",)]


def test_the_parts_are_multiplied_in_order_and_the_last_varies_fastest() -> None:
    node = {
        "list": [{"a": 9}],
        "random": {"n": 2, "from": {"e": [5]}},
        "zip": {"pair": {"c": [1, 2], "d": ["x", "y z"]}},
        "grid": {"a": [1, 2]},
    }
    assert words(node) == [
        ("a=1", "c=1", "d=x", "e=5"),
        ("a=1", "c=1", "d=x", "e=5"),
        ("a=1", "c=2", 'd="y z"', "e=5"),
        ("a=1", "c=2", 'd="y z"', "e=5"),
        ("a=2", "c=1", "d=x", "e=5"),
        ("a=2", "c=1", "d=x", "e=5"),
        ("a=2", "c=2", 'd="y z"', "e=5"),
        ("a=2", "c=2", 'd="y z"', "e=5"),
        ("a=9",),
    ]


def test_what_is_drawn_is_drawn_alike_on_every_machine() -> None:
    rate = {"low": 0.1, "high": 10, "log": True}
    node = {"random": {"n": 4, "seed": 3, "from": {"rate": rate, "epochs": {"low": 1, "high": 4, "int": True}}}}
    assert words(node) == [
        ("rate=2.587", "epochs=3"),
        ("rate=3.552", "epochs=1"),
        ("rate=0.4481", "epochs=2"),
        ("rate=8.669", "epochs=4"),
    ]


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 5))
def test_a_draw_stays_as_it_is_when_more_are_drawn_or_other_keys_are_added(n: int, more: int, seed: int) -> None:
    few = {"n": n, "seed": seed, "from": {"a": {"low": 0.5, "high": 2, "log": True}}}
    many = {"n": n + more, "seed": seed, "from": {"b": ["x", "y"], **few["from"]}}  # type: ignore[dict-item]
    assert [each[1] for each in words({"random": many})[:n]] == [each[0] for each in words({"random": few})]


@given(
    st.integers(1, 9),
    st.floats(0.01, 10),
    st.floats(0.01, 10),
    st.booleans(),
    st.integers(0, 999),
)
def test_what_is_drawn_lies_between_low_and_high(n: int, low: float, above: float, log: bool, seed: int) -> None:
    draw = {"low": low, "high": low + above, "log": log}
    drawn = [
        float(each.partition("=")[2]) for (each,) in words({"random": {"n": n, "seed": seed, "from": {"a": draw}}})
    ]
    assert all(low <= each <= low + above for each in drawn)


@pytest.mark.parametrize("log", [False, True])
def test_whole_numbers_are_drawn_from_all_of_the_range(log: bool) -> None:
    draw = {"low": 1, "high": 3, "int": True, "log": log}
    drawn = [each.partition("=")[2] for (each,) in words({"random": {"n": 200, "from": {"a": draw}}})]
    assert sorted(set(drawn)) == ["1", "2", "3"]


@pytest.mark.parametrize(
    "space",
    [
        f"grid: {{{EPOCHS}: [1, 2], seed: '3,4'}}",
        f"grid: {{{EPOCHS}: 'range(1,3)', seed: 'choice(3,4)'}}",
        f"grid: {{{EPOCHS}: [1]}}\nzip: {{pair: {{seed: [3, 4], dataset.limit: [null, 20]}}}}",
        "grid: {model: [tiny, smollm2], style.system: ['Say \"it\", {so}: \\', '${style.language} \\u4e01']}",
        "grid: {+source@dataset.sources.more: [friendly_pairs, gentle_pairs]}",
        f"list: [{{{EPOCHS}: 2}}, {{goal.require.beats_rules: null, seed: 9}}]",
        f"random: {{n: 3, from: {{{RATE}: {{low: 0.1, high: 4, log: true}}, model: [tiny, smollm2]}}}}",
    ],
)
def test_a_point_of_a_space_is_the_very_one_that_is_typed_by_hand(own: Own, space: str) -> None:
    own.write("conf/sweep/mine.yaml", f"# Mine.   ftbuild {TONE} sweep=mine\n{space}\n")
    swept = compose_sweep(own.folder, [TONE, "sweep=mine"], multirun=False).points
    assert len(swept) > 1
    for each in swept:
        typed = compose(own.folder, each.overrides)
        assert (typed.overrides, typed.tree, typed.settings) == (each.overrides, each.tree, each.settings)
        assert keys(typed) == keys(each)
        assert not any(word.startswith("sweep") for word in each.overrides)


def keys(composed: Composed) -> list[str]:
    return [action.id for action in graph_of(composed, Store(Path("nowhere")), judged=True)]


def points(own: Own, *asked: str) -> list[tuple[str, ...]]:
    """Return the words that ask for each point; each is what its own words compose to."""
    found = compose_sweep(own.folder, asked, multirun=False).points
    assert [each.tree for each in found] == [compose(own.folder, each.overrides).tree for each in found]
    return [each.overrides for each in found]


@pytest.mark.parametrize(
    "said", ["defaults: [tone_formal, override /sweep: mine]", "defaults: [tone_formal]\nsweep: {grid: {seed: [1, 2]}}"]
)
def test_an_experiment_says_a_space_and_a_word_takes_it_away(own: Own, said: str) -> None:
    own.write("conf/sweep/mine.yaml", f"# Mine.   ftbuild {TONE} sweep=mine\ngrid: {{seed: [1, 2]}}\n")
    own.experiment("mine", f"# Mine.   ftbuild +experiment=mine\n{said}\n")
    alone = ("+experiment=mine", "sweep=none")
    assert points(own, "+experiment=mine") == [(*alone, "seed=1"), (*alone, "seed=2")]
    assert points(own, *alone) == [alone]
    assert points(own, "+experiment=mine", "sweep=seeds", "sweep.grid.seed=[5]") == [(*alone, "seed=5")]
    assert compose(own.folder, ["+experiment=mine"]).overrides == alone


def test_what_the_command_line_sets_a_space_leaves_alone(own: Own) -> None:
    assert points(own, TONE, "sweep=rate_epochs", f"{EPOCHS}=5") == [
        (TONE, f"{EPOCHS}=5", f"{RATE}={rate}") for rate in ("0.5", "1", "2")
    ]


def test_a_space_is_multiplied_with_what_the_command_line_sweeps_over(own: Own) -> None:
    own.write("conf/sweep/mine.yaml", f"# Mine.   ftbuild {TONE} sweep=mine\ngrid: {{{EPOCHS}: [1, 2]}}\n")
    expected = [(TONE, f"seed={seed}", f"{EPOCHS}={n}") for seed in (3, 4) for n in (1, 2)]
    assert points(own, TONE, "sweep=mine", "seed=3,4") == expected
    assert [each.overrides for each in compose_sweep(own.folder, [TONE, "seed=3,4", "sweep=mine"]).points] == expected


def test_several_spaces_are_one_sweep(own: Own) -> None:
    assert points(own, TONE, "sweep=none,seeds") == [(TONE,), *((TONE, f"seed={seed}") for seed in (1, 2, 3))]


def test_a_space_goes_in_front_of_what_is_given(own: Own) -> None:
    smoke = ["model=tiny", f"{EPOCHS}=1"]
    swept = compose_sweep(own.folder, [TONE, "sweep=rate_epochs"], given=smoke, multirun=False).points
    assert [each.overrides[:2] for each in swept] == [("model=tiny", TONE)] * 6
    assert [each.settings.method.hyperparameters.n_epochs for each in swept] == [1, 2] * 3


def test_equal_points_are_one_and_it_is_told(own: Own) -> None:
    own.write("conf/sweep/mine.yaml", f"# Mine.   ftbuild {TONE} sweep=mine\ngrid: {{seed: [1, 7, 1]}}\nlist: [{{}}]\n")
    swept = compose_sweep(own.folder, [TONE, "sweep=mine"], multirun=False)
    assert [each.overrides for each in swept.points] == [(TONE, "seed=1"), (TONE, "seed=7")]  # 7 is what is there
    assert list(map(str, swept.notes)) == [
        "conf/sweep/mine.yaml: warning: 2 of 4 points are another once more: 2 are left"
    ]


def test_a_value_of_a_space_was_written_there(own: Own) -> None:
    own.write("conf/sweep/mine.yaml", f"# Mine.   ftbuild {TONE} sweep=mine\ngrid:\n  seed:\n    - 1\n    - 2\n")
    swept = compose_sweep(own.folder, [TONE, "sweep=mine"], multirun=False).points
    assert [str(each.origins.of("seed")) for each in swept] == ["conf/sweep/mine.yaml:4", "conf/sweep/mine.yaml:5"]
