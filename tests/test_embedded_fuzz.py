"""Nothing that is sent makes the server fail or hang: an answer, or a refusal in OpenAI's shape, and it goes on."""

import copy
import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pytest
from embedded_fixture import LOG, Running, lines, running
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from training_lines import CALCULATE, WEATHER, call

SECONDS = 60  # for one answer
CHAT = {
    "model": "tiny",
    "messages": [
        {"role": "system", "content": "Help, in JSON."},
        {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
        {"role": "assistant", "content": None, "tool_calls": [call(1, "get_weather", city="Oslo")]},
        {"role": "tool", "tool_call_id": "call_1", "content": "Rain."},
        {"role": "user", "content": "And now?"},
    ],
    "tools": [WEATHER, CALCULATE],
    "tool_choice": {"type": "function", "function": {"name": "calculate"}},
    "parallel_tool_calls": True,
    "response_format": {
        "type": "json_schema",
        "json_schema": {
            "name": "f",
            "strict": True,
            "schema": {
                "type": "object",
                "properties": {"a": {"type": "array", "items": {"enum": [1, "b"]}}},
                "required": ["a"],
                "additionalProperties": False,
            },
        },
    },
    "max_tokens": 5,
    "temperature": 0.5,
    "top_p": 0.9,
    "n": 2,
    "seed": 1,
    "stop": ["x"],
    "logprobs": True,
    "top_logprobs": 2,
    "stream": True,
    "stream_options": {"include_usage": True},
    "user": "u",
}
EMBED = {"model": "tiny", "input": ["a", "b"], "encoding_format": "base64", "user": "u"}
JOB = {
    "model": "tiny",
    "training_file": "file-abcdefgh",
    "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1, "batch_size": "auto"}}},
    "suffix": "s",
    "seed": 1,
    "metadata": {"a": "b"},
    "integrations": [{"type": "wandb", "wandb": {"project": "p", "tags": ["t"]}}],
}
BODIES = {"/v1/chat/completions": CHAT, "/v1/embeddings": EMBED, "/v1/fine_tuning/jobs": JOB}
DEEP: Any = "x"
for _ in range(300):
    DEEP = {"type": "object", "properties": {"a": DEEP}}
TEXTS = ["", "a", "none", "\x00", "é\u2028🙂", "<|im_end|>", "a" * 3000]
VALUES = [[], {}, [[]], [None], {"type": "object"}, {"$ref": "#"}, {"type": ["string", "null"]}, [1] * 300, DEEP]
ODD = st.sampled_from([None, True, False, 0, -1, 1e308, 2**63, 10**400, 5e-324, 0.5, *TEXTS, *VALUES]).map(
    copy.deepcopy
)


@pytest.fixture(scope="module", params=["torch", "scripted"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("fuzz")
    with running(folder / "state", folder / "cache", engine=request.param) as found:
        yield found


def send(server: Running, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(server.client.base_url.host, server.client.base_url.port, timeout=SECONDS)
    try:
        known = {"Authorization": f"Bearer {server.client.api_key}", "Content-Type": "application/json"}
        connection.request(method, path, body, known | headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def is_told_properly(status: int, body: bytes) -> None:
    assert status < 500, body[:500]
    if status >= 400:
        refused = json.loads(body)["error"]
        assert set(refused) == {"message", "type", "param", "code"}
        assert refused["message"]


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where something stands in a JSON value."""
    if at:
        yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*at, key))


@st.composite
def broken(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Draw a body in which one to three things are other than they should be, or gone, or new."""
    path = draw(st.sampled_from(sorted(BODIES)))
    body = copy.deepcopy(BODIES[path])
    for key in draw(st.sets(st.sampled_from(sorted(set(body) - {"model"})), max_size=len(body) - 2)):
        del body[key]  # what is left out changes what the rest means
    for _ in range(draw(st.integers(0, 3))):
        if not (left := sorted(places(body), key=repr)):
            break
        where = draw(st.sampled_from(left))
        holder: Any = body
        for key in where[:-1]:
            holder = holder[key]
        change = draw(st.sampled_from(["replace", "remove", "add"]))
        if change == "replace":
            holder[where[-1]] = draw(ODD)
        elif change == "remove":
            del holder[where[-1]]
        elif isinstance(holder, dict):
            holder[draw(st.sampled_from(["extra", "type", "name", "content", "strict", "not", "weight"]))] = draw(ODD)
        else:
            holder.append(draw(ODD))
    return path, body


@settings(deadline=None, max_examples=120, suppress_health_check=list(HealthCheck))
@given(broken())
def test_a_body_that_is_not_what_it_should_be_is_answered_or_refused(
    server: Running, asked: tuple[str, dict[str, Any]]
) -> None:
    path, body = asked
    is_told_properly(*send(server, "POST", path, json.dumps(body).encode()))


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD"]),
    st.sampled_from(["files", "files/{}", "files/{}/content", "models", "models/{}", "fine_tuning/jobs/{}", "{}"])
    | st.sampled_from([f"fine_tuning/jobs/{{}}/{verb}" for verb in ("cancel", "events", "checkpoints", "pause")]),
    st.text(max_size=20) | st.sampled_from(["..", "../../etc/passwd", "file-1", "%00", "a/b"]),
    st.dictionaries(st.sampled_from(["limit", "after", "purpose", "order", "metadata[a]"]), st.text(max_size=5)),
    st.binary(max_size=30),
)
def test_no_path_and_no_query_makes_it_fail(
    server: Running, method: str, path: str, name: str, query: dict[str, str], body: bytes
) -> None:
    asked = "&".join(f"{quote(key)}={quote(value)}" for key, value in query.items())
    status, said = send(server, method, f"/v1/{path.format(quote(name, safe=''))}?{asked}", body)
    assert status < 500, said
    if method != "HEAD" and status >= 400:
        is_told_properly(status, said)


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    st.binary(max_size=60) | st.text(max_size=40).map(str.encode) | st.just(b'{"a":' * 5000),
    st.sampled_from(sorted(BODIES)),
)
def test_what_is_no_json_is_refused(server: Running, body: bytes, path: str) -> None:
    is_told_properly(*send(server, "POST", path, body))


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    st.binary(max_size=80),
    st.sampled_from(["multipart/form-data; boundary=b", "multipart/form-data", "text/plain", "x"]),
)
def test_a_form_that_is_none_is_refused(server: Running, body: bytes, kind: str) -> None:
    is_told_properly(*send(server, "POST", "/v1/files", body, **{"Content-Type": kind}))


QUIRKS = ["", '"', "a\r\nx: y", "../../../etc/passwd", "é\u202e🙂", "a" * 2000, "%00", ";", "x; filename*=bogus''%ff"]


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["file", "purpose", "x", *QUIRKS]),
            st.sampled_from([None, "train.jsonl", *QUIRKS]),
            st.binary(max_size=40) | st.sampled_from([b"fine-tune", b"\xff\xfe", b"--b--", b"\r\n--b"]),
        ),
        max_size=4,
    ),
    st.sampled_from([b"--b--\r\n", b"--b", b""]),
)
def test_a_form_with_odd_fields_is_taken_or_refused_and_writes_nothing_elsewhere(
    server: Running, fields: list[tuple[str, str | None, bytes]], end: bytes
) -> None:
    body = b""
    for name, filename, content in fields:
        head = f'Content-Disposition: form-data; name="{name}"'
        head += "" if filename is None else f'; filename="{filename}"'
        body += b"--b\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"
    kind = "multipart/form-data; boundary=b"
    is_told_properly(*send(server, "POST", "/v1/files", body + end, **{"Content-Type": kind}))
    around = {path.name for path in server.state.parent.iterdir()}
    assert around == {"state", "cache"} or around == {"state"}


@settings(deadline=None, max_examples=80, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from([b"GET", b"POST", b"DELETE"]),
    st.sampled_from([b"/", b"/v1/files", b"/v1/chat/completions", b"/v1/fine_tuning/jobs", b"/v1/models/", b"*", b"x"]),
    st.binary(max_size=12),
    st.lists(
        st.sampled_from(
            [b"Content-Length: 900", b"Content-Length: -1", b"Transfer-Encoding: chunked", b"Expect: 100-continue"]
        )
        | st.binary(max_size=20).map(lambda value: b"X-Odd: " + value.replace(b"\r", b"").replace(b"\n", b"")),
        max_size=2,
    ),
    st.sampled_from([b"", b'{"model": "tiny"', b"5\r\nabc", b"\xff" * 50]),
)
@example(b"POST", b"/v1/files", b"", [b"Content-Length: 900"], b"5")
def test_what_is_hardly_http_and_breaks_off_is_survived(
    server: Running, method: bytes, path: bytes, tail: bytes, headers: list[bytes], body: bytes
) -> None:
    key = f"Authorization: Bearer {server.client.api_key}".encode()
    head = b"\r\n".join([method + b" " + path + tail + b" HTTP/1.1", b"Host: x", key, *headers])
    url = server.client.base_url
    with socket.create_connection((url.host, url.port), timeout=SECONDS) as connection:
        connection.sendall(head + b"\r\n\r\n" + body)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        with suppress(ConnectionError):
            while piece := connection.recv(65536):
                answer += piece
    assert answer.partition(b" ")[2][:1] in (b"", b"1", b"2", b"4"), answer[:200]


def test_it_still_answers_and_has_nothing_to_complain_of(server: Running) -> None:
    """Run last: whatever was sent before, completions and files are still to be had."""
    answer = server.client.chat.completions.create(
        model="tiny", messages=[{"role": "user", "content": "?"}], max_tokens=3
    )
    assert answer.choices[0].finish_reason in ("length", "stop")
    assert server.client.files.create(file=("a.jsonl", lines(10)), purpose="fine-tune").bytes == len(lines(10))
    assert set((server.state / LOG).read_text().splitlines()) <= {"WARNING:  Invalid HTTP request received."}
