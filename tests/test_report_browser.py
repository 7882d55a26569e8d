"""The report of a run and that of a sweep in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_fixture import CONTRAST, launched
from report_fixture import report_input
from sweep_fixture import epochs, grid, many, seeds

from ftbuild.report.html import render, render_sweep

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(report_input()), encoding="utf-8")
    return path.as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_page_is_quiet_self_contained_legible_and_no_wider_than_its_window(
    chromium: Any, address: str, width: int, scheme: str
):
    look_at(chromium, address, width, scheme)


def look_at(chromium: Any, address: str, width: int, scheme: str) -> None:
    """Hold a page to what is said of it above."""
    page = chromium.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    folded = page.evaluate("document.documentElement.scrollWidth")
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    unfolded = page.evaluate("document.documentElement.scrollWidth")
    poor = page.evaluate(CONTRAST)
    page.close()
    assert [url for url in asked if not url.startswith("data:")] == [address]
    assert said == []
    assert (folded, unfolded) == (width, width)
    assert poor == []


def test_filters_narrow_the_misses_and_a_link_brings_a_hidden_one_back(chromium: Any, address: str):
    page = chromium.new_page(viewport={"width": 1280, "height": 844})
    page.goto(address)
    shown = page.locator(".miss:visible")
    counts = [shown.count()]
    page.get_by_role("button", name="invents a fact").click()
    counts.append(shown.count())
    page.get_by_label("Slice").select_option("source=unseen")
    counts.append(shown.count())
    status = page.locator("#shown").inner_text()
    page.evaluate("location.hash = '#miss-10'")
    page.locator("#miss-10").wait_for(state="visible")
    counts.append(shown.count())
    page.close()
    assert (counts, status) == ([10, 4, 3, 10], "3 of 10 shown")


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder: Path = tmp_path_factory.mktemp("sweeps")
    for given in (grid, epochs, seeds, many):
        (folder / f"{given.__name__}.html").write_text(render_sweep(given()), encoding="utf-8")
    return {path.stem: path.as_uri() for path in folder.iterdir()}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["grid", "epochs", "seeds", "many"])
def test_page_of_a_sweep_is_quiet_self_contained_legible_and_no_wider_than_its_window(
    chromium: Any, sweeps: dict[str, str], name: str, width: int, scheme: str
):
    look_at(chromium, sweeps[name], width, scheme)


def test_points_are_sorted_by_any_column_and_those_without_a_value_come_last(chromium: Any, sweeps: dict[str, str]):
    page = chromium.new_page(viewport={"width": 1280, "height": 844})
    page.goto(sweeps["grid"])
    numbers = page.locator(".sortable tbody th")
    table = page.locator(".sortable")
    orders = [numbers.all_inner_texts()]
    for column in ("Character F-score", "Character F-score", "learning_rate_multiplier", "Training"):
        table.get_by_role("button", name=column).click()
        orders.append(numbers.all_inner_texts())
    sorted_by = table.locator("[aria-sort]").all_inner_texts()
    page.close()
    assert ["".join(order) for order in orders] == ["123456", "132456", "542316", "531426", "123456"]
    assert [each.strip() for each in sorted_by] == ["Training"]


def test_every_part_of_a_picture_has_its_place_inside_it(chromium: Any, sweeps: dict[str, str]):
    page = chromium.new_page(viewport={"width": 1280, "height": 844})
    outside = []
    for address in sweeps.values():
        page.goto(address)
        outside += page.evaluate(OUTSIDE)
    page.close()
    assert outside == []


OUTSIDE = """() => [...document.querySelectorAll("svg circle, svg line")].filter((mark) => {
  const [a, b] = [mark.getBoundingClientRect(), mark.ownerSVGElement.getBoundingClientRect()];
  const spare = 8;
  return a.left < b.left - spare || a.right > b.right + spare || a.top < b.top - spare || a.bottom > b.bottom + spare;
}).map((mark) => mark.outerHTML)"""
