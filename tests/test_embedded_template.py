"""Tools and calls in the text that a model reads and writes, the same in training and in use."""

import json
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from embedded_fixture import TINY
from hypothesis import given
from hypothesis import strategies as st
from training_lines import CALCULATE, WEATHER, supervised

from ftbuild.digest import of_value
from ftbuild.embedded.calls import LINES, Call, CallForm, Calls
from ftbuild.embedded.chat import chat_request
from ftbuild.embedded.engine import read_prompt
from ftbuild.embedded.lessons import InvalidFileError, lesson_of
from ftbuild.embedded.signatures import offered, signature
from ftbuild.embedded.wire import ApiError
from ftbuild.settings.provider import FORM

pytest.importorskip("tokenizers")

from ftbuild.embedded.template import Template
from ftbuild.embedded.weights import prepare

HERMES = (  # the part of Qwen2.5's chat template that tools go through
    "{%- if tools %}{{- '<|im_start|>system\\n' }}{%- if messages[0].role == 'system' %}"
    "{{- messages[0].content + '\\n\\n' }}{%- endif %}{{- '# Tools\\n<tools>' }}"
    "{%- for tool in tools %}{{- '\\n' }}{{- tool | tojson }}{%- endfor %}{{- '\\n</tools><|im_end|>\\n' }}"
    "{%- elif messages[0].role == 'system' %}"
    "{{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}{%- endif %}"
    "{%- for message in messages %}"
    "{%- if message.role == 'user' or (message.role == 'system' and not loop.first) "
    "or (message.role == 'assistant' and not message.tool_calls) %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}"
    "{%- elif message.role == 'assistant' %}{{- '<|im_start|>' + message.role + '\\n' }}"
    "{%- if message.content %}{{- message.content + '\\n' }}{%- endif %}"
    "{%- for tool_call in message.tool_calls %}{%- if not loop.first %}{{- '\\n' }}{%- endif %}"
    '{{- \'<tool_call>\\n{"name": "\' }}{{- tool_call.function.name }}{{- \'", "arguments": \' }}'
    "{{- tool_call.function.arguments | tojson }}{{- '}\\n</tool_call>' }}{%- endfor %}{{- '<|im_end|>\\n' }}"
    "{%- elif message.role == 'tool' %}{{- '<|im_start|>user\\n<tool_response>\\n' }}{{- message.content }}"
    "{{- '\\n</tool_response><|im_end|>\\n' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
ONE_CALL = "{% if tools and messages[-1].tool_calls|length > 1 %}{{ raise_exception('one call at a time') }}{% endif %}"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(TINY, tmp_path_factory.mktemp("cache"), print).folder


def with_template(base: Path, folder: Path, chat_template: str) -> Template:
    config = json.loads((base / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": chat_template}))
    (folder / "tokenizer.json").write_bytes((base / "tokenizer.json").read_bytes())
    return Template(folder)


def text_of(template: Template, ids: Any) -> str:
    return str(template.tokenizer.decode(list(ids), skip_special_tokens=False))


def test_tools_stand_in_the_system_message_and_calls_are_an_array(base: Path) -> None:
    template, line = Template(base), supervised("Oslo")
    lesson = template.lesson(line["messages"], line["tools"])
    assert text_of(template, lesson.ids) == (
        "<|im_start|>system\nHelp.\n\n"
        "Tools, called by answering -> name {arguments}, a line each, several if need be, and nothing else:\n"
        'get_weather(city: string, day?: "today"|"tomorrow")  Weather in a city.\n'
        "calculate(expression: string)  Work out an expression.<|im_end|>\n"
        "<|im_start|>user\nWeather in Oslo, and what is 2+3?<|im_end|>\n"
        '<|im_start|>assistant\n-> get_weather {"city": " Oslo", "day": " today"}\n'
        '-> calculate {"expression": " 2+3"}<|im_end|>\n'
        "<|im_start|>tool\nRain.<|im_end|>\n<|im_start|>tool\n5<|im_end|>\n"  # in the order of the calls
        "<|im_start|>assistant\nIt rains in Oslo, and 2+3 is 5.<|im_end|>\n"
    )
    learnt = [token for token, learn_it in zip(lesson.ids, lesson.learnt, strict=True) if learn_it]
    said = text_of(template, learnt).split("<|im_end|>")
    assert said == [LINES.written(line["messages"][2]["tool_calls"]), "It rains in Oslo, and 2+3 is 5.", ""]
    for n_said in (2, 5):  # before each answer
        prompt = template.prompt(line["messages"][:n_said], line["tools"])
        assert prompt == list(lesson.ids[: len(prompt)])
        assert lesson.learnt[len(prompt) - 1 : len(prompt) + 1] == (False, True)


FORMS_PINNED = (3, "5dbb928f10baa66b2714a64ef6ceadb194b1dcf31433a6a5219f7fe4d59940fe")


def test_a_form_of_texts_that_changes_gets_a_version_of_its_own(base: Path, tmp_path: Path) -> None:
    """The ratchet: a model tuned in one form would be asked in another, and kept answers stand for new prompts.

    With another digest raise FORM in settings/provider.py, and pin both anew.
    """
    line = supervised("Oslo")
    messages, tools = line["messages"], line["tools"]
    both = {**messages[2], "content": "Let me look.", "weight": 0}
    seen = []
    for template in (Template(base), with_template(base, tmp_path, HERMES)):
        for asked, offers in ((messages, tools), ([*messages[:2], both, *messages[3:]], tools), (messages[1:2], ())):
            for parallel in (True, False):
                lesson = template.lesson(asked, offers, parallel=parallel)
                prompt = template.prompt(asked[:2], offers, parallel=parallel)
                seen.append([text_of(template, lesson.ids), lesson.learnt, text_of(template, prompt)])
    assert (FORM, of_value(seen)) == FORMS_PINNED


def test_the_flag_changes_one_phrase(base: Path) -> None:
    template, line = Template(base), supervised("Oslo")
    texts = [text_of(template, template.prompt([], line["tools"], parallel=flag)) for flag in (True, False)]
    assert texts[0].replace("a line each, several if need be", "one at a time") == texts[1]
    assert texts[1].startswith("<|im_start|>system\nTools, called by answering -> name {arguments}, one at a time, ")


def test_arguments_are_written_in_one_way() -> None:
    spelled = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":"\\u00e9" ,\n"b":[1,2]}'}}]
    assert LINES.written(spelled) == '-> f {"a": " é", "b": [1, 2]}'


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CALLS = st.lists(st.tuples(st.sampled_from(["f", "get-it", "x_1"]), st.dictionaries(st.text(), JSON)), min_size=1)
FORMS = [LINES, CallForm('<t>\n{"name": "', '", "arguments": ', '}\n</t>\n<t>\n{"name": "', "}\n</t>")]


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS, ids=["lines", "tags"])
@given(CALLS, st.data())
def test_what_is_written_is_read_back_and_half_of_it_is_half_read(
    form: CallForm, made: list[tuple[str, dict[str, Any]]], data: st.DataObject
) -> None:
    calls = [{"function": {"name": name, "arguments": json.dumps(each)}} for name, each in made]
    text = form.written(calls)
    whole = form.read(text)
    assert whole is not None
    assert whole.whole
    assert [(each.name, json.loads(each.arguments)) for each in whole.calls] == made
    cut = data.draw(st.integers(0, len(text) - 1))
    half = form.read(text[:cut])
    if half is not None:
        # Where calls stand one by one, a text that ends with one of them is a whole one.
        assert not half.whole or text[:cut].strip() == form.written(calls[: len(half.calls)])
        assert len(half.calls) <= len(whole.calls)
        assert half.calls[:-1] == whole.calls[: len(half.calls[:-1])]
        if half.calls:
            assert whole.calls[len(half.calls) - 1].arguments.startswith(half.calls[-1].arguments)
    assert form.surely_text(text[:cut]) == ""


def test_a_text_before_calls_is_kept_and_a_text_about_calls_is_a_text() -> None:
    text = "Let me see.\n-> f {}"
    assert LINES.read(text) == Calls("Let me see.", (Call("f", "{}"),), whole=True)
    assert LINES.surely_text("Let me see.\n->") == "Let me see."
    assert LINES.surely_text("Let me see.\n-1") == "Let me see.\n-1"
    assert LINES.read("Write -> f {} to call it.") is None
    broken = LINES.read("-> f [1]")
    assert broken is not None
    assert not broken.whole


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        (None, "f()"),
        ({"type": "object", "properties": {"n": {"type": ["integer", "null"]}}}, "f(n?: integer|null)"),
        ({"properties": {"n": {"anyOf": [{"type": "string"}, {"const": 1}]}}, "required": ["n"]}, "f(n: string|1)"),
        ({"properties": {"n": {"type": "array", "items": {"enum": ["a", 2]}}}}, 'f(n?: ("a"|2)[])'),
        ({"properties": {"n": {"description": "how\nmany", "type": "number"}}}, "f(n?: number (how many))"),
        (
            {"properties": {"n": {"$ref": "#/$defs/p"}}, "$defs": {"p": {"properties": {"x": {"type": "array"}}}}},
            "f(n?: {x?: any[]})",
        ),
        ({"properties": {"n": {"$ref": "#/nowhere"}, "m": {}}}, "f(n?: any, m?: any)"),
    ],
)
def test_a_signature_says_what_a_schema_says(parameters: Any, said: str) -> None:
    assert signature({"function": {"name": "f", "parameters": parameters}}) == said


def test_a_schema_that_leads_in_circles_has_a_signature() -> None:
    node = {"properties": {"next": {"$ref": "#"}}}
    assert signature({"function": {"name": "f", "parameters": node}}).count("next") == 4


def test_the_description_is_one_line() -> None:
    assert offered([WEATHER, CALCULATE], parallel=True).count("\n") == 2
    assert signature({"function": {"name": "f", "description": "a\n b"}}) == "f()  a b"


@pytest.mark.slow
def test_a_template_that_knows_tools_gets_them_as_transformers_gives_them(base: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    template = with_template(base, tmp_path, HERMES)
    tag = '}\n</tool_call>\n<tool_call>\n{"name": "'
    assert template.form == CallForm('<tool_call>\n{"name": "', '", "arguments": ', tag, "}\n</tool_call>")
    line = supervised("Oslo")
    lesson = template.lesson(line["messages"], line["tools"])
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    plain = json.loads(json.dumps(line["messages"]))
    for each in plain[2]["tool_calls"]:
        each["function"]["arguments"] = json.loads(each["function"]["arguments"])
    plain[3], plain[4] = plain[4], plain[3]
    plain[2]["content"] = ""
    assert theirs.apply_chat_template(plain, tools=line["tools"], tokenize=False) == text_of(template, lesson.ids)
    learnt = [token for token, learn_it in zip(lesson.ids, lesson.learnt, strict=True) if learn_it]
    assert text_of(template, learnt).split("<|im_end|>")[0] == template.form.written(line["messages"][2]["tool_calls"])


def test_a_template_whose_form_cannot_be_found_out_gets_signatures(base: Path, tmp_path: Path) -> None:
    template = with_template(base, tmp_path, HERMES.replace("tool_call.function.arguments | tojson", "tool_call.id"))
    assert template.form is LINES
    assert with_template(base, tmp_path, ONE_CALL + HERMES).form is LINES
    line = supervised("Oslo")
    assert "get_weather(city: string" in text_of(template, template.prompt(line["messages"][:2], line["tools"]))


NUMBERED = (
    "{% for message in messages %}{{ loop.index }}:<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ messages | length + 1 }}:<|im_start|>assistant\n{% endif %}"
)
FORGETS = "{% for message in messages[-2:] %}{{ message.content }}<|im_end|>{% endfor %}"
REFUSES = "{{ raise_exception('no system, please') }}"


def turns(n: int) -> list[dict[str, Any]]:
    return [{"role": ("user", "assistant")[number % 2], "content": f"no. {number}"} for number in range(n)]


class Counting(Template):
    """Counts the messages that it writes."""

    n_written = 0

    def render(self, messages: Any, **how: Any) -> str:
        self.n_written += len(messages)
        return super().render(messages, **how)


def test_a_conversation_of_twice_the_messages_is_twice_the_work(base: Path) -> None:
    template, written = Counting(base), []
    for n in (101, 201):
        template.n_written = 0
        template.prompt(turns(n))
        written.append(template.n_written)
    assert written[1] < 2.1 * written[0]


def test_a_template_that_numbers_its_messages_is_followed(base: Path, tmp_path: Path) -> None:
    template = with_template(base, tmp_path, NUMBERED)
    lesson = template.lesson(turns(6))
    said = [f"{number + 1}:<|im_start|>{turn['role']}\n{turn['content']}" for number, turn in enumerate(turns(6))]
    assert text_of(template, lesson.ids) == "<|im_end|>\n".join([*said, ""])
    learnt = [token for token, learn_it in zip(lesson.ids, lesson.learnt, strict=True) if learn_it]
    assert text_of(template, learnt) == "no. 1<|im_end|>no. 3<|im_end|>no. 5<|im_end|>"


def test_from_a_template_that_changes_earlier_messages_nothing_is_learnt_and_it_is_asked_as_it_writes(
    base: Path, tmp_path: Path
) -> None:
    template = with_template(base, tmp_path, FORGETS)
    assert text_of(template, template.prompt(turns(5))) == "no. 3<|im_end|>no. 4<|im_end|>"
    said = "examples[7]: no answer can be told apart: the chat template changes earlier messages when one is added"
    with pytest.raises(InvalidFileError, match=f"^{re.escape(said)}$"):
        lesson_of(turns(6), {}, template, "examples[7]")


def test_what_a_template_refuses_is_said_with_its_words(base: Path, tmp_path: Path) -> None:
    template = with_template(base, tmp_path, REFUSES)
    with pytest.raises(InvalidFileError, match=r"^here: the chat template .*: no system, please$"):
        lesson_of(turns(2), {}, template, "here")
    request = chat_request({"model": "m", "messages": turns(1)})
    with pytest.raises(ApiError, match=r"^'messages' cannot be written: .*: no system, please\.$") as found:
        read_prompt(template, request)
    assert found.value.status == 400


def test_others_go_on_while_a_long_text_is_read(base: Path) -> None:
    template, found = Template(base), []
    text = "ab c " * 150_000
    reading = threading.Thread(target=lambda: found.append(template.ids(text)))
    before = time.thread_time()
    reading.start()
    while reading.is_alive():
        continue
    assert time.thread_time() - before > 10 * sys.getswitchinterval()  # as much as it waits for one that holds the GIL
    assert found == [template.tokenizer.encode(text, add_special_tokens=False).ids]
