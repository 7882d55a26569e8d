"""An example that stays as it stands is prepared without being read, and comes out as one that is read."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from training_lines import in_bytes, one_by_one, quiet, supervised

from ftbuild.chat import Tool
from ftbuild.dataset.build import Recipe
from ftbuild.dataset.offered import Terms
from ftbuild.example import Origin, known
from ftbuild.runners.data import Partition, Prepared, Ways, _prepare
from ftbuild.runners.formats import standing
from ftbuild.settings import Shares, Source, Style
from ftbuild.sources.plain import kept

ODD = st.sampled_from(
    ['x,"source":', ',"known":[', ',"tools":', "source", "known", '"messages":', "é\u2028", "\\", "a b"]
)
SHARES = Shares(validation=0.2, test=0.3, seed=1)


def style(system: str = "") -> Style:
    return Style.model_validate({"language": "en", "system": system, "rules": {}, "expand": {}})


@st.composite
def stored(draw: st.DrawFn) -> bytes:
    """Return a sound line as ingest keeps it, with odd names and texts wherever a user may put some."""
    line: dict[str, Any] = draw(st.sampled_from([supervised("Oslo"), one_by_one("Kyoto"), quiet("Perth")]))
    line = json.loads(json.dumps(line if draw(st.booleans()) else {"messages": quiet("Perth")["messages"]}))
    for message in line["messages"]:
        message.pop("weight", None)
    named = draw(st.booleans())
    line["messages"][0 if line["messages"][0]["role"] == "user" else 1]["content"] += draw(ODD)
    group, place = draw(ODD), draw(ODD)
    given = {"kind": "chat_jsonl", "path": f"{draw(ODD)}.jsonl", "licence": "CC0-1.0", "origin": "a test"}
    fields = {"group": "g", "slices": {draw(ODD): "p"}} if named else {}
    source = Source.model_validate({**given, **fields})
    content = kept(in_bytes([{**line, "g": group, "p": place}]), draw(st.integers(1, 9)), "many", source)
    assert content is not None
    return content


def unknown(line: bytes) -> bytes:
    """Return the line without what is known of its example."""
    value = json.loads(line)
    del value["known"]
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


@given(stored())
def test_what_a_line_says_is_known_of_it_is_what_is_read_of_it(line: bytes) -> None:
    value, found = json.loads(line), standing(line.rstrip(b"\n"))
    assert found is not None
    said = {name: value[name] for name in ("messages", "tools", "parallel_tool_calls") if name in value}
    assert json.loads(b"{%s}" % found.said) == said
    assert (found.origin, found.known._replace(called=[*found.known.called])) == (Origin.from_json(value), known(said))
    assert found.offer == {name: said[name] for name in said if name != "messages"}
    assert standing(unknown(line).rstrip(b"\n")) is None


@settings(max_examples=200)
@given(
    st.lists(stored(), min_size=1, max_size=4),
    st.sampled_from(["", "Be formal."]),
    st.sampled_from([None, True, False]),
    st.booleans(),
    st.booleans(),
)
def test_examples_that_stand_come_out_as_those_that_are_read(
    lines: list[bytes], system: str, flag: bool | None, near: bool, offers: bool
) -> None:
    tools = tuple(map(Tool.from_json, supervised("Oslo")["tools"])) if offers else ()
    recipe = Recipe(style(system), SHARES, tools, flag, near)
    ways = Ways(recipe, (), Terms(), {"many": "CC0-1.0"}, frozenset())

    def prepared(each: list[bytes]) -> Prepared:
        return _prepare(ways, Partition(0, b"".join(each)))

    assert prepared(lines) == prepared([unknown(line) for line in lines])
