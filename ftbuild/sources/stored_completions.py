"""Chat completions that OpenAI stored (`store=True`), exported with their requests.

A line is a completion as `client.chat.completions.list()` gives it, with the messages that
`client.chat.completions.messages.list(id)` gives, in `messages` or `input_messages`. `ftbuild fetch stored_completions`
writes such a file; with the SDK alone it is:

    for each in client.chat.completions.list():
        messages = client.chat.completions.messages.list(each.id)
        line = each.to_dict() | {"messages": [message.to_dict() for message in messages]}
        file.write(json.dumps(line) + "\\n")

The answer is that of `choices`; messages that already end with it are not given it twice. `tools` are read where the
line has them. Fields of `metadata` are named with a dot: metadata.ticket.
Source: the types ChatCompletion and ChatCompletionStoreMessage of the package openai 3.57.0 (2026-11).
"""

from collections.abc import Mapping
from typing import Any

from ftbuild.problem import Problem
from ftbuild.sources.conversations import Converted
from ftbuild.sources.logged import Log, chosen

ASKED = ("messages", "input_messages")


def convert(value: Any) -> Converted:
    """Return a stored completion as a training line."""
    if not isinstance(value, Mapping) or "choices" not in value:
        fix = "write what chat.completions.list() gives, an object a line."
        return Converted(None, (Problem("no completion: it has no choices", fix=fix, rule="not-a-completion"),))
    at = next((name for name in ASKED if value.get(name) is not None), None)
    if at is None:
        fix = "add what chat.completions.messages.list(id) gives, as messages."
        return Converted(None, (Problem("no request: it has no messages", fix=fix, rule="no-request"),))
    log = Log()
    log.ask(value[at], at)
    log.offer(value.get("tools"), "tools")
    n = len(log.messages)
    chosen(log, value["choices"])
    if len(log.messages) > n and n and log.messages[n - 1] == log.messages[n]:
        log.messages.pop()
    return log.line()
