"""Redaction: what has the form of a personal value or a secret leaves no trace, and all else stays as it is."""

import json
from typing import Any

import pytest
from examples_fixture import example
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.chat import Message, Tool, ToolCall
from ftbuild.criteria import Criterion
from ftbuild.dataset.redact import RULES, redacted, told, totals
from ftbuild.example import Example
from ftbuild.runners.data import dataset
from ftbuild.runners.formats import json_lines

ALL = list(RULES)
# A value of each rule, made up: none belongs to anybody.
VALUES = {
    "private_key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w",
    "api_key": "sk-proj-abcdefghijklmnopqrstuvwx",
    "url_password": "bob:hunter2",
    "email": "Ann.Lee+x@mail.example.com",
    "iban": "DE89 3704 0044 0532 0130 00",
    "credit_card": "4111 1111 1111 1111",
    "ipv6": "2001:db8::8a2e:370:7334",
    "ipv4": "192.0.2.17",
    "phone": "+49 170 1234567",
}
AROUND = {"url_password": ("https://", "@host.example/x")}


def said(text: str, *names: str) -> str:
    only = redacted(example(text), names or ALL)
    content = only.prompt[0].content
    assert content is not None
    return content


@pytest.mark.parametrize("name", ALL)
def test_each_rule_finds_its_value_and_is_off_unless_named(name: str) -> None:
    before, after = AROUND.get(name, ("See ", ", please."))
    text = f"{before}{VALUES[name]}{after}"
    assert said(text, name) == f"{before}[{name}]{after}"
    assert redacted(example(text), [name]).redacted == {name: 1}
    assert redacted(example(text), []) == example(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("メールはa@b.example.comまで、電話は03-1234-5678です。", "メールは[email]まで、電話は[phone]です。"),
        ("電話０９０－１２３４－５６７８", "電話[phone]"),
        ("info@müller.example", "[email]"),
        ("to='ann@x.example', o'hara@x.example?cc=bob@x.example&n=1", "to='[email]', [email_2]?cc=[email_3]&n=1"),
        ("ab12 DE89370400440532013000 THX", "ab12 [iban] THX"),
        ("4111 1111 1111 1111 12/27", "[credit_card] 12/27"),
        ("10.0.0.1:8080, fe80::1.", "[ipv4]:8080, [ipv6]."),
        ("(415) 555-0132, 030/1234567, 01.23.45.67.89, 0170 1234567", "[phone], [phone_2], [phone_3], [phone_4]"),
        ("+49 (0)170 1234567 2026", "[phone] 2026"),
        ("AKIAIOSFODNN7EXAMPLE and ghp_0123456789abcdefghijABCDEFGHIJ012345", "[api_key] and [api_key_2]"),
        ("[email] or a@b.example", "[email] or [email_2]"),
    ],
)
def test_values_are_found_in_the_texts_people_write(text: str, wanted: str) -> None:
    assert said(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-25 12:30:45, 08-12-2026 10:30, 08/12/2026 10:30, 1.12.2026",
        "order 1234567890123 at 1730419200000, page 0123, 0.123456789, 12 345 678 901",
        "std::vector, a::b, @ann, version 1.2.3.4.5, 300.1.1.1",
        "4111 1111 1111 1112, DE88 3704 0044 0532 0130 00, 0000 0000 0000 0000",
        "sk-short, eyJhbGciOi, -----BEGIN CERTIFICATE-----",
    ],
)
def test_what_only_looks_alike_stays(text: str) -> None:
    assert said(text) == text


def test_one_value_has_one_label_in_all_of_an_example_and_a_second_another() -> None:
    call = ToolCall("c1", "send", json.dumps({"to": "ANN@example.com", "phone": "+49-170-1234567", "n": 1}))
    before = Example(
        messages=(
            Message("user", "Write to ann@example.com or bob@example.com, +49 170 1234567."),
            Message("assistant", None, (call,)),
            Message("tool", '[{"bob@example.com": {"ok": true}}]', tool_call_id="c1"),
            Message("assistant", "Sent to Ann@example.com."),
        ),
        original="0" * 64,
        source="s",
        path="p",
        line=1,
        group="ann@example.com",
        raw="Write to ann@example.com or bob@example.com, +49 170 1234567.",
        slices={"source": "s", "who": "bob@example.com"},
        rejected=Message("assistant", "No: ann@example.com"),
        tools=(Tool("send", "Asks bob@example.com.", {"properties": {"to": {"enum": ["ann@example.com"]}}}),),
        accepted={"c1": {"to": ["ann@example.com", "BOB@example.com"], "n": [1, ""]}},
        criteria=(Criterion("contains-any", ["ann@example.com", "sent"]),),
    )
    after = redacted(before, ALL)
    assert [each.content for each in after.messages] == [
        "Write to [email] or [email_2], [phone].",
        None,
        '[{"[email_2]": {"ok": true}}]',
        "Sent to [email].",
    ]
    assert after.messages[1].tool_calls[0].arguments == '{"to": "[email]", "phone": "[phone]", "n": 1}'
    assert (after.raw, after.slices["who"]) == ("Write to [email] or [email_2], [phone].", "[email_2]")
    assert after.rejected == Message("assistant", "No: [email]")
    assert after.accepted == {"c1": {"to": ["[email]", "[email_2]"], "n": [1, ""]}}
    assert after.criteria == (Criterion("contains-any", ["[email]", "sent"]),)
    assert after.tools[0].description == "Asks [email_2]."
    assert after.tools[0].parameters == {"properties": {"to": {"enum": ["[email]"]}}}
    assert (after.id, after.group == before.group, after.redacted) == (before.id, False, {"email": 8, "phone": 2})
    assert "example.com" not in json.dumps(after.to_json())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats(allow_nan=False) | st.text()
    | st.sampled_from(sorted(VALUES.values())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def shape(value: Any) -> Any:
    """Return a JSON value with its texts and numbers left out."""
    if isinstance(value, dict):
        return [shape(each) for each in value.values()]
    if isinstance(value, list):
        return [shape(each) for each in value]
    return type(value) if value is None or isinstance(value, bool | str) else "number"


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4), st.booleans(), st.sampled_from([None, 1]))
def test_arguments_stay_json_of_the_same_shape(value: dict[str, Any], ascii_: bool, indent: int | None) -> None:
    arguments = json.dumps(value, ensure_ascii=ascii_, indent=indent)
    call = ToolCall("c", "f", arguments)
    given_ = example("hi").with_messages((Message("user", "hi"), Message("assistant", None, (call,))))
    after = redacted(given_, ALL).messages[1].tool_calls[0].arguments
    assert shape(json.loads(after)) == shape(value)
    for found in VALUES.values():
        if found not in ("bob:hunter2",):
            assert json.dumps(found)[1:-1] not in after


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(sorted(set(VALUES) - {"url_password"})))
def test_redacting_twice_is_redacting_once_and_nothing_of_the_value_is_left(text: str, name: str) -> None:
    once = redacted(example(f"{text} {VALUES[name]} {text}"), ALL)
    assert VALUES[name] not in json.dumps(once.to_json(), ensure_ascii=False)
    twice = redacted(once, ALL)
    assert (twice.messages, twice.redacted) == (once.messages, {})


def test_no_output_of_the_dataset_holds_what_was_taken_out() -> None:
    given_ = [
        example(
            f"number {n}: {VALUES['email']} {VALUES['phone']}", f"To {VALUES['email']}.", line=n, group=f"g{n}@x.org"
        )
        for n in range(1, 60)
    ]
    settings = {
        "split": {"validation": 0.2, "test": 0.2, "seed": 1},
        "limit": None,
        "system": "Be brief.",
        "language": "en",
        "expand": [],
        "licences": {"pairs": "CC0-1.0"},
        "redact": {"email": True, "phone": True},
    }
    made = dataset(settings, {"pairs": json_lines(each.to_json() for each in given_)}, {})
    for content in made.outputs.values():
        assert b"example.com" not in content
        assert b"x.org" not in content
        assert b"1234567" not in content
    assert json.loads(made.outputs["dropped.json"]) == {"email redacted": 118, "phone redacted": 59}
    assert made.note.endswith(", redacted 118 email, 59 phone, no problems")
    first = json.loads(made.outputs["provenance.jsonl"].split(b"\n")[0])
    assert (first["transforms"], first["redacted"]) == (["redact", "system"], {"email": 2, "phone": 1})
    assert first["because"]["redact"] == ["dataset.redact.email", "dataset.redact.phone"]


def test_totals_are_told_in_the_order_of_the_rules() -> None:
    texts = (VALUES["phone"], f"{VALUES['phone']} {VALUES['email']}")
    both = totals(redacted(example(text, line=n), ALL).redacted for n, text in enumerate(texts))
    assert (both, told(both)) == ({"email": 1, "phone": 2}, "1 email, 2 phone")
