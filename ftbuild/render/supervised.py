"""Supervised lines: {"messages": [...]}, one JSON object a line.

Source: OpenAI supervised fine-tuning guide (2026-11).
"""

import json

from ftbuild.chat import Message
from ftbuild.digest import canonical


def line(messages: tuple[Message, ...]) -> bytes:
    """Return one training line without its line end: members in the documented order, UTF-8."""
    value = {"messages": [message.to_json() for message in messages]}
    canonical(value)
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": ")).encode()


def parse(content: bytes) -> tuple[Message, ...]:
    """Return the messages of a line that `line` wrote."""
    return tuple(Message.from_json(message) for message in json.loads(content)["messages"])
