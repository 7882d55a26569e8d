"""The page of a sweep as text: self-contained, escaped, whole without its pictures, and never short of words."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from page_fixture import Page
from sweep_fixture import EPOCHS, RATE, SEED, epochs, failed, grid, many, point, results, seeds, sweep

from ftbuild.report import sweep_charts
from ftbuild.report.html import render_sweep
from ftbuild.report.sweep_input import SweepInput
from ftbuild.report.sweep_view import sweep_view
from ftbuild.report.words import REHEARSED

RUN = "../../runs/20261126-101500-tone_formal/report.html"


def said(given: SweepInput) -> str:
    """Return the text of the page, blanks made one."""
    text = re.sub(r"<(style|script)>.*?</\1>|<svg.*?</svg>", "", render_sweep(given), flags=re.DOTALL)
    return " ".join(Page(text).said.split())


@pytest.mark.parametrize("given", [grid(), epochs(), seeds()])
def test_page_is_well_formed_and_a_link_stays_in_it_or_leads_to_the_report_of_a_point(given: SweepInput) -> None:
    page = Page(render_sweep(given))
    assert (page.open, page.crossed, page.scripts) == ([], [], 1)
    assert len(page.ids) == len(set(page.ids))
    assert {link for link in page.links if link.removeprefix("#") not in page.ids} == {RUN}


def test_page_loads_nothing_and_its_policy_lets_it_load_nothing() -> None:
    text = render_sweep(grid())
    assert Page(text).loads == ["data:,"]
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text.replace("&#39;", "'")


def test_no_text_of_a_sweep_is_markup() -> None:
    evil = "</title><script>alert('hi')</script>\"><img src=x>"
    points = [point({evil: n}, 0.4 + n / 10, name=evil, command=evil) for n in (1, 2)]
    hostile = sweep([*points, failed({evil: 3}, evil)], best=2, front=[1], description=evil, command=evil, name=evil)
    page = Page(render_sweep(hostile))
    assert (page.open, page.crossed, page.scripts, page.loads) == ([], [], 1, ["data:,"])


def test_same_input_gives_the_same_bytes_also_after_it_was_kept() -> None:
    kept = SweepInput.from_json(json.loads(json.dumps(grid().to_json())))
    assert render_sweep(kept) == render_sweep(grid())


def test_the_table_says_every_number_of_every_point() -> None:
    rows = sweep_view(grid())["rows"]
    shown = [
        ([each["text"] for each in row["settings"]], row["value"], row["interval"], row["change"], row["trained"])
        for row in rows
    ]
    assert shown == [
        (["1", "0.5"], "0.40", "0.35 to 0.45", "+0.15", "30 s"),
        (["1", "2"], "0.46", "0.41 to 0.51", "+0.21", "30 s"),
        (["2", "0.5"], "0.44", "0.39 to 0.49", "+0.19", "1 min"),
        (["2", "2"], "0.52", "0.47 to 0.57", "+0.27", "1 min"),
        (["4", "0.5"], "0.55", "0.50 to 0.60", "+0.30", "2 min"),
        (["4", "2"], "", "", "", ""),
    ]
    assert [row["is_best"] for row in rows] == [False] * 4 + [True, False]
    assert [row["on_front"] for row in rows] == [False, True, False, True, True, False]
    page = said(grid())
    for row in rows[:-1]:
        assert f"{row['value']} {row['interval']}" in page


def test_a_failed_point_is_told_with_its_whole_error() -> None:
    assert "Points that failed" in said(grid())
    assert "#6 n_epochs=4 learning_rate_multiplier=2" in said(grid())
    assert "job ftjob-9 failed: out of memory Fix: model=tiny" in said(grid())
    assert "Points that failed" not in said(epochs())


PAIRS = st.sets(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=2)


@given(PAIRS)
def test_there_is_a_heat_map_just_where_two_settings_have_every_combination(pairs: set[tuple[int, int]]) -> None:
    downs, acrosses = {a for a, _ in pairs}, {b for _, b in pairs}
    is_full = pairs == {(a, b) for a in downs for b in acrosses} and len(downs) > 1 and len(acrosses) > 1
    points = [point({EPOCHS: a, RATE: b}, a / 10 + b / 100) for a, b in sorted(pairs)]
    heat = sweep_view(sweep(points))["pictures"]["heat"]
    assert (heat is not None) == is_full
    if heat is not None:
        told = {
            (row["text"], column): cell["value"]
            for row in heat["rows"]
            for column, cell in zip(heat["columns"], row["cells"], strict=True)
        }
        assert told == {(str(a), str(b)): f"{a / 10 + b / 100:.2f}" for a, b in pairs}


def test_a_third_setting_or_the_same_point_twice_makes_no_heat_map() -> None:
    points = [point({EPOCHS: a, RATE: b, SEED: 1}, 0.5) for a in (1, 2) for b in (1, 2)]
    assert sweep_view(sweep(points))["pictures"]["heat"] is None
    points = [point({EPOCHS: a, RATE: b}, 0.5) for a, b in ((1, 1), (1, 2), (2, 1), (2, 1))]
    assert sweep_view(sweep(points))["pictures"]["heat"] is None


def test_the_colours_of_a_heat_map_are_fifths_of_what_lies_between_worst_and_best() -> None:
    cells = [cell for row in sweep_view(grid())["pictures"]["heat"]["rows"] for cell in row["cells"]]
    # 0.40 to 0.55 in fifths of 0.03: 0.46 is at the third, 0.44 in the second, 0.52 at the fifth
    assert [(cell["value"], cell["level"]) for cell in cells] == [
        ("0.40", 0),
        ("0.46", 2),
        ("0.44", 1),
        ("0.52", 4),
        ("0.55", 4),
        ("failed", None),
    ]
    assert sweep_charts.level(0.40, 0.40, 0.55, lower_is_better=True) == 4
    assert sweep_charts.level(0.5, 0.5, 0.5, lower_is_better=False) == 2


def test_numbers_stand_in_their_order_at_equal_distances_unless_put_to_scale() -> None:
    even = sweep_charts.axis([4, 1, 2], ["4", "1", "2"])
    assert (even.places, even.labels) == ([100, 0, 50], [(0, "1"), (50, "2"), (100, "4")])
    scaled = sweep_charts.axis([4, 1, 2], ["4", "1", "2"], to_scale=True)
    assert scaled.places == [100, 0, 33.33]
    factors = sweep_charts.axis([0.01, 0.1, 1], ["0.01", "0.1", "1"], to_scale=True)
    assert factors.places == [0, 50, 100]
    words = sweep_charts.axis(["tiny", "large", "tiny"], ["tiny", "large", "tiny"], to_scale=True)
    assert (words.places, words.labels) == ([0, 100, 0], [(0, "tiny"), (100, "large")])
    assert sweep_charts.axis([3, 3], ["3", "3"], to_scale=True).places == [50, 50]
    many = sweep_charts.axis(list(range(9)), list(map(str, range(9))))
    assert (many.places[:3], many.labels) == ([0, 12.5, 25], [(0, "0"), (25, "2"), (50, "4"), (75, "6"), (100, "8")])


def test_an_axis_of_many_numbers_has_both_its_ends_and_between_them_what_has_room() -> None:
    factors = sweep_charts.axis([0.1 * 1.4**n for n in range(15)], list(map(str, range(15))))
    assert factors.labels == [(0, "0.1"), (48.88, "1"), (100, "11.112")]
    whole = sweep_charts.axis(list(range(1, 11)), list(map(str, range(1, 11))))
    assert whole.labels == [(0, "1"), (44.44, "5"), (100, "10")]


def test_a_page_of_many_points_stays_legible() -> None:
    view = sweep_view(many())
    heat, cost, parallel = (view["pictures"][name] for name in ("heat", "cost", "parallel"))
    numbers = re.findall(r'<text x="([\d.]+)%" y="([\d.]+)%"[^>]*>(\d+)<', cost["picture"].svg)
    assert {int(number) for _, _, number in numbers} <= set(range(10, 151, 10))  # the front, and of it the best
    assert "150" in [number for _, _, number in numbers]
    places = [(float(x), float(y)) for x, y, _ in numbers]
    assert all(abs(x - x2) >= 4 or abs(y - y2) >= 5 for n, (x, y) in enumerate(places) for x2, y2 in places[:n])
    assert cost["picture"].svg.count("<circle") == parallel["svg"].count("<title>") == 150
    assert (heat["is_dense"], sweep_view(grid())["pictures"]["heat"]["is_dense"]) == (True, False)
    page, short = render_sweep(many()), render_sweep(grid())
    assert (page.count('class="scroll long"'), short.count('class="scroll long"')) == (2, 0)
    lost = replace(many(), points=[*many().points, *(failed({EPOCHS: n, RATE: 1}) for n in range(20, 32))])
    left_out = sweep_view(lost)["pictures"]["cost"]["left_out"]
    assert (left_out[0], len(left_out), left_out[-1]) == (
        "#151 n_epochs=20 learning_rate_multiplier=1",
        9,
        "and 4 more",
    )


def test_one_setting_is_drawn_as_values_over_it_beside_what_they_are_compared_with() -> None:
    found = sweep_view(epochs())["pictures"]
    assert [found[name] is not None for name in ("setting", "heat", "parallel", "cost")] == [True, False, False, True]
    assert (found["setting"]["name"], found["setting"]["base"]) == ("n_epochs", True)
    assert found["setting"]["picture"].svg.count('class="joined"') == 2
    assert "#2 n_epochs=2: 0.55 (0.50 to 0.60)" in found["setting"]["picture"].svg


def test_names_are_joined_by_no_line() -> None:
    points = [point({"model": name}, mean) for name, mean in (("tiny", 0.4), ("smollm2", 0.5))]
    assert 'class="joined"' not in sweep_view(sweep(points))["pictures"]["setting"]["picture"].svg


def test_cost_is_money_where_any_was_paid_and_its_front_is_named() -> None:
    cost = sweep_view(epochs())["pictures"]["cost"]
    assert (cost["unit"], cost["unknown"], cost["left_out"]) == ("US dollars", False, [])
    assert cost["front"] == ["#1 n_epochs=1: 0.40 at $1.25", "#2 n_epochs=2: 0.55 at $2.50"]
    assert cost["picture"].svg.count('class="front"') == 2  # one step: to the right, and up
    assert cost["picture"].x_labels == [(0, "0"), (25, "1"), (50, "2"), (75, "3"), (100, "4")]


def test_an_unknown_price_is_unknown_and_not_in_a_picture_of_money() -> None:
    points = [point({EPOCHS: n}, n / 10, cost_usd=usd) for n, usd in ((1, 1.5), (2, None), (3, 2.5))]
    given = sweep(points, front=[1, 3], by="cost_usd")
    assert [row["cost"] for row in sweep_view(given)["rows"]] == ["$1.50", "unknown", "$2.50"]
    assert sweep_view(given)["pictures"]["cost"]["left_out"] == ["#2 n_epochs=2"]
    free = sweep([replace(each, cost_usd=None) for each in points], front=[1])
    assert sweep_view(free)["pictures"]["cost"]["unit"] == "seconds of training"
    assert "What some points cost in money is unknown, so this is training time." in said(free)
    assert "no money" not in said(free)


def test_seeds_alone_are_told_as_how_far_they_lie_apart() -> None:
    found = sweep_view(seeds())["pictures"]
    assert [found[name] is not None for name in ("setting", "heat", "parallel")] == [False] * 3
    [row] = found["seeds"]
    assert row["said"] == (
        "3 seeds: character F-score 0.51 (0.45 to 0.57 over examples), by seed 0.48 to 0.55, sd 0.036; "
        "+0.26 (+0.20 to +0.32) to base"
    )
    assert row["svg"].count("<circle") == 3


def test_the_verdict_says_who_won_and_that_it_was_confirmed() -> None:
    verdict = sweep_view(epochs())["verdict"]
    assert (verdict["headline"], verdict["ending"]) == ("n_epochs=2: better, confirmed", "met")
    assert verdict["sentences"] == [
        "Character F-score 0.55 on the test split, +0.30 (+0.25 to +0.35) to base; among 3 looks (Holm, p 0.012): "
        "better.",
        "Asked again on 40 examples that nobody had looked at: 0.52, +0.27 (+0.22 to +0.32) to base. Confirmed.",
        "1 other winner was asked on them before: untouched no more. dataset.split.seed draws new ones.",
    ]


@pytest.mark.parametrize(
    ("confirmed", "word", "ending"),
    [("worse", "not confirmed", "missed"), ("underpowered", "too few examples to tell", "undecided")],
)
def test_a_winner_that_does_not_hold_is_not_called_better_alone(confirmed: str, word: str, ending: str) -> None:
    given = epochs()
    asked = {**given.winner, "confirmed": results(0.3, verdict=confirmed)}  # type: ignore[dict-item]
    verdict = sweep_view(replace(given, winner=asked))["verdict"]
    assert (verdict["headline"], verdict["ending"]) == (f"n_epochs=2: better, {word}", ending)


def test_why_no_winner_was_asked_again_is_said() -> None:
    plain = replace(epochs(), winner=None)
    flattered = "The test split has chosen it, which flatters it"
    keep = f"{flattered}, and no examples were kept to ask it once more: +dataset.split.confirm=0.15 keeps some."
    assert sweep_view(plain)["verdict"]["sentences"][1:] == [keep]
    assert sweep_view(replace(plain, unasked="it has no confirm split"))["verdict"]["sentences"][1:] == [
        "No winner was asked on the confirm split: it has no confirm split.",
        f"{flattered}.",
    ]
    waiting = replace(epochs(), winner={**epochs().winner, "confirmed": None})  # type: ignore[dict-item]
    assert sweep_view(waiting)["verdict"]["sentences"][1:] == [
        "It was not asked on the confirm split: the same command asks it."
    ]


def test_a_sweep_of_rehearsals_says_so_has_no_best_and_offers_nothing_to_keep() -> None:
    points = [point({EPOCHS: n}, n / 10, results=results(n / 10, rehearsed=True)) for n in (1, 2)]
    given = sweep(points, front=[1, 2])
    page = said(given)
    assert (REHEARSED in page, "The numbers are made up." in page) == (True, True)
    assert sweep_view(given)["verdict"]["headline"] == "Rehearsed: no point is the best"
    assert page.count("0.10 0.05 to 0.15 rehearsed") == 1
    assert "ftbuild promote" not in page


def test_points_of_several_goals_share_no_picture_and_have_no_best() -> None:
    other = results(0.5)
    other = {**other, "verdict_metric": "exact", "goal": [], "metrics": [{**other["metrics"][0], "metric": "exact"}]}
    given = sweep([point({"goal": "a"}, 0.4), point({"goal": "b"}, 0.5, results=other)])
    view = sweep_view(given)
    assert [view["pictures"][name] for name in ("setting", "heat", "parallel", "cost")] == [None] * 4
    assert view["verdict"]["sentences"] == ["The points are judged by different metrics."]


def test_the_commands_repeat_the_best_and_keep_it() -> None:
    repeat = sweep_view(epochs())["repeat"]
    assert repeat == {
        "sweep": "ftbuild -m +experiment=tone_formal method.hyperparameters.n_epochs=1,2",
        "best": "ftbuild +experiment=tone_formal method.hyperparameters.n_epochs=2",
        "promote": "ftbuild promote 20261126-101500-tone_formal tone_formal_best",
    }


NUMBER = st.none() | st.floats(0, 1)
SETTING = st.none() | st.integers(0, 3) | st.sampled_from(["tiny", "1e-4", True])
COST = st.none() | st.floats(0, 100)


@st.composite
def sweeps(draw: st.DrawFn) -> SweepInput:
    keys = draw(st.lists(st.sampled_from([EPOCHS, RATE, SEED, "model"]), unique=True, max_size=3))
    points = []
    for _ in range(draw(st.integers(2, 5))):
        chosen = {key: draw(SETTING) for key in keys}
        if draw(st.booleans()) and len(points) > 1:
            points.append(failed(chosen))
            continue
        mean = draw(NUMBER)
        found: dict[str, Any] = results(mean, draw(NUMBER), rehearsed=draw(st.booleans()))
        if draw(st.booleans()):
            found |= {"verdict": None, "ending": None, "goal": []}
        if draw(st.integers(0, 5)) == 0:
            found |= {"metrics": [], "goal": []}
        spent: dict[str, Any] = {name: draw(COST) for name in ("cost_usd", "training_seconds")}
        points.append(point(chosen, mean, results=found, verdict=draw(st.sampled_from(["better", None])), **spent))
    by = draw(st.sampled_from(["cost_usd", "training_seconds"]))
    known = [n for n, each in enumerate(points, 1) if getattr(each, by) is not None and each.results]
    valued = [n for n in known if each_mean(points[n - 1]) is not None]
    front = draw(st.lists(st.sampled_from(valued), unique=True)) if valued else []
    return sweep(points, front=front, by=by if valued else None, settings=keys)


def each_mean(given: Any) -> float | None:
    metrics = given.results["metrics"]
    return metrics[0]["arms"]["tuned"]["mean"] if metrics else None


@settings(max_examples=25)
@given(sweeps())
def test_whatever_numbers_are_missing_there_is_a_page(given: SweepInput) -> None:
    page = Page(render_sweep(given))
    assert (page.open, page.crossed) == ([], [])
