"""The report in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_fixture import CONTRAST, launched
from report_fixture import report_input

from ftbuild.report.html import render

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
