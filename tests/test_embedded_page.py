"""The page of `ftbuild serve`: anybody may see it, it holds nothing; the token opens jobs, models and answers."""

import json
import os
import re
import signal
import socket
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from embedded_fixture import Running, lines, running, until
from page_fixture import CONTRAST, launched
from project_fixture import Project


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("page")
    with running(folder / "state", folder / "cache") as found:
        yield found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with launched() as browser:
        yield browser


def origin(server: Running) -> str:
    return str(server.client.base_url).removesuffix("/v1/")


def test_the_page_is_there_without_a_token_and_nothing_else_is(server: Running) -> None:
    there = httpx2.get(origin(server))
    assert (there.status_code, there.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert server.client.api_key not in there.text
    assert "default-src 'none'" in there.text
    assert not re.search(r"(?:src|href)=\"(?!#|data:)", there.text)  # it loads nothing
    for path in ("/v1/models", "/page.js", "//", "/v1", "/?x=/v1/models"):
        found = httpx2.get(origin(server) + path)
        assert found.status_code == (200 if path.startswith("/?") else 401), path
    assert httpx2.post(origin(server)).status_code == 401


def method(n_epochs: int) -> dict[str, object]:
    return {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": n_epochs, "batch_size": 1}}}


@pytest.mark.browser
@pytest.mark.slow
def test_a_job_is_followed_steered_and_its_model_talked_to_beside_its_base(server: Running, chromium: Any) -> None:
    done = server.ended(server.job(lines(), suffix="done", method=method(1)).id)
    server.job(lines(60), suffix="under-way", method=method(50))
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"{origin(server)}/#token={server.client.api_key}")
    card = page.locator(".job", has_text="under-way")
    card.get_by_text(re.compile(r"Step \d+/3000: training loss=")).wait_for()
    first = card.locator("path.train").get_attribute("d")
    page.wait_for_function("(old) => document.querySelector('path.train').getAttribute('d') !== old", arg=first)
    card.get_by_role("button", name="Pause").click()
    card.locator(".badge", has_text="paused").wait_for()
    card.get_by_role("button", name="Resume").wait_for()

    assert page.get_by_label("Left").input_value() == "tiny"
    assert page.get_by_label("Right").input_value() == done.fine_tuned_model
    page.get_by_text("System message and how answers are drawn").click()
    assert page.get_by_label("System message").input_value() == "Say it backwards."
    page.get_by_label("Tokens at most").fill("9")
    page.get_by_label("Message", exact=True).fill("red")
    page.get_by_label("Message", exact=True).press("Control+Enter")
    page.get_by_text(re.compile(r"9 tokens in .* cut at the limit")).nth(1).wait_for()
    shown = page.locator("#turns .said").all_inner_texts()
    for model, text in zip(("tiny", str(done.fine_tuned_model)), shown, strict=True):
        messages: Any = [{"role": "system", "content": "Say it backwards."}, {"role": "user", "content": "red"}]
        answer = server.client.chat.completions.create(model=model, messages=messages, temperature=0, max_tokens=9)
        assert "".join(str(answer.choices[0].message.content).split()) in "".join(text.split())

    card.get_by_role("button", name="Cancel").click()
    card.locator(".badge", has_text="cancelled").wait_for()
    assert (
        page.locator("#model-rows").get_by_role("rowheader", name=str(done.fine_tuned_model), exact=True).count() == 1
    )
    assert page.locator("#file-rows tr").count() >= 3
    assert (said, page.url) == ([], f"{origin(server)}/")
    assert {url.partition("#")[0] for url in asked if "/v1/" not in url} == {f"{origin(server)}/"}
    page.close()
    assert server.client.api_key not in (server.state / "requests.log").read_text()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_the_page_is_legible_and_no_wider_than_its_window(
    server: Running, chromium: Any, width: int, scheme: str
) -> None:
    server.ended(server.job(b"{}\n", suffix="a" * 60).id)
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(f"{origin(server)}/#token={server.client.api_key}")
    page.locator(".job").first.wait_for()
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    page.get_by_label("Message", exact=True).fill("unbroken" * 30)
    page.get_by_role("button", name="Send").click()
    page.get_by_text(re.compile("tokens in")).nth(1).wait_for()
    wide, poor = page.evaluate("document.documentElement.scrollWidth"), page.evaluate(CONTRAST)
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, input, select, textarea')]"
        ".filter((e) => !e.textContent.trim() && !e.labels?.length).map((e) => e.outerHTML)"
    )
    page.close()
    assert (wide, poor, unnamed) == (width, [], [])


@pytest.mark.browser
def test_a_long_name_of_a_file_pushes_no_column_away(server: Running, chromium: Any) -> None:
    server.client.files.create(file=("n" * 5000, lines()), purpose="fine-tune")
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{origin(server)}/#token={server.client.api_key}")
    page.locator("#file-rows tr").first.wait_for()
    card = page.locator("#files .card")
    wide = card.evaluate("(card) => card.scrollWidth > card.clientWidth")
    high = card.locator("tbody tr").first.evaluate("(row) => row.clientHeight")
    page.close()
    assert not wide
    assert high < 200


@pytest.mark.browser
def test_without_the_token_the_page_asks_for_it_and_shows_nothing(server: Running, chromium: Any) -> None:
    page = chromium.new_page()
    page.goto(f"{origin(server)}/#token=guess")
    page.get_by_text("Incorrect API key provided.").wait_for()
    hidden = page.locator("#inside").is_hidden()
    page.get_by_label("Token", exact=True).fill(server.client.api_key)
    page.get_by_role("button", name="Open").click()
    page.get_by_role("heading", name="Models").wait_for()
    page.reload()
    page.get_by_role("heading", name="Models").wait_for()  # this tab remembers
    shown = page.locator("#door").is_visible()
    page.close()
    assert (hidden, shown) == (True, False)


# --- by the command -----------------------------------------------------------------------------


@pytest.mark.slow
def test_serve_says_where_it_is_until_it_is_interrupted(project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = project.run("serve", "--port", str(port))
        assert refused.code == 2
        assert refused.err == (
            "No model is here yet; ftbuild serve +experiment=NAME has one ready.\n"
            f"command line: nothing can listen at 127.0.0.1, port {port}: Address already in use\n"
            "    Fix: another --port, or none.\n"
        )
    serving = project.start("serve", "--port", str(port))
    until(lambda: "OPENAI_API_KEY" in serving.out)
    found = re.fullmatch(r"page   (\S+)/#token=(\S+)\nAPI    OPENAI_BASE_URL=\1/v1 OPENAI_API_KEY=\2\n", serving.out)
    assert found is not None
    assert found[1] == f"http://127.0.0.1:{port}"
    assert httpx2.get(f"{found[1]}/v1/models", headers={"authorization": f"Bearer {found[2]}"}).json()["data"] == []
    again = project.run("serve")
    assert (again.code, again.out) == (0, f"page   {found[1]}/#token={found[2]}\n")
    assert again.err == "It runs already, until somebody stops it.\n"
    serving.interrupt()
    assert serving.ended().code == 0
    assert serving.err == (
        "No model is here yet; ftbuild serve +experiment=NAME has one ready.\n"
        "Ctrl-C stops it; a job that is under way goes on with the next server.\n"
    )
    assert project.store().server() is None


@pytest.mark.slow
def test_serve_has_the_model_of_an_experiment_ready(project: Project) -> None:
    refused = project.run("serve", "+experiment=tone_formal", "provider=compatible", "provider.base_url=http://x.y/v1")
    assert refused.err == "command line: compatible serves itself\n    Fix: ftbuild serve +experiment=NAME\n"
    serving = project.start("serve", "+experiment=tone_formal", "model=tiny", "--host", "0.0.0.0")
    until(lambda: "OPENAI_API_KEY" in serving.out, 120)
    record = json.loads((project.store().state / "server.json").read_bytes())
    assert record["host"] == "127.0.0.1"
    headers = {"authorization": f"Bearer {record['token']}"}
    found = httpx2.get(f"http://127.0.0.1:{record['port']}/v1/models", headers=headers).json()
    assert [each["id"] for each in found["data"]] == ["tiny-random"]
    os.kill(serving.process.pid, signal.SIGTERM)
    assert serving.ended().code == 0


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 on this machine")
def test_who_serves_everywhere_by_ipv6_is_found_where_it_says(project: Project) -> None:
    serving = project.start("serve", "--host", "::")
    until(lambda: "OPENAI_API_KEY" in serving.out)
    address = project.store().server()
    assert address is not None
    assert f"OPENAI_BASE_URL={address.base_url} OPENAI_API_KEY={address.api_key}\n" in serving.out
    headers = {"authorization": f"Bearer {address.api_key}"}
    by_four = re.sub(r"\[.*\]", "127.0.0.1", address.base_url)
    assert {httpx2.get(f"{each}/models", headers=headers).status_code for each in (address.base_url, by_four)} == {200}
    serving.interrupt()
    assert serving.ended().code == 0
