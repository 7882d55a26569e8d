"""The vectors of texts, asked of the provider: of passages and the questions they are searched with, and of others."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ftbuild.chat import Message
from ftbuild.dataset.redact import redacted
from ftbuild.digest import of_value, short
from ftbuild.example import Example
from ftbuild.outcome import Build
from ftbuild.plan.action import Action
from ftbuild.retrieval.grounding import asked_by
from ftbuild.retrieval.index import Vectors, searched
from ftbuild.retrieval.passages import Passage
from ftbuild.runners.formats import parse_lines
from ftbuild.runners.walled import to_read
from ftbuild.runners.workshop import Workshop
from ftbuild.voice import Voice
from ftbuild.workers import Made

OF_SOURCE = "questions."  # and the name of the source


def embed(shop: Workshop, action: Action, _key: str, done: Build, voice: Voice) -> Made:
    """Ask for the vectors of passages and questions, without what is redacted, and of other `texts` as they are."""
    from ftbuild.evaluate.calls import Calls
    from ftbuild.evaluate.vectors import vectors

    rules = tuple(action.settings.get("redact", ()))
    given = [done.read(action, "passages")] if any(each.role == "passages" for each in action.inputs) else []
    passages = [Passage.from_json(each) for content in given for each in parse_lines(content)]
    asked = [
        Example.from_json(each)
        for one in action.inputs
        if one.role.startswith(OF_SOURCE)
        for each in parse_lines(done.read(action, one.role))
    ]
    of_questions = {asked_by(each): asked_by(redacted(each, rules) if rules else each) for each in asked}
    others = list(action.settings.get("texts", ()))
    if "walled" in action.settings:
        others += to_read(action.settings, {each.role: done.read(action, each.role) for each in action.inputs})
    of_questions |= {each: each for each in others}
    of_passages = [_without(searched(each), rules) for each in passages]
    model = action.settings.get("embedder") or shop.settings.model.id
    scope: dict[str, Any] = {name: action.settings[name] for name in ("provider", "model") if name in action.settings}
    calls = Calls(shop.world.store / "calls.db", scope=short(of_value(scope)))

    def show(n: int, total: int) -> None:
        voice.sleep(0)
        voice.progress(f"{n:,} of {total:,} vectors")

    remote = shop.connect()
    texts = [each for each in (*of_passages, *of_questions.values()) if each]
    try:
        found = vectors(texts, remote, calls, model, show)
    finally:
        calls.close()
        remote.hang_up()
    n = len(next(iter(found.values()), ()))
    nothing = [0.0] * n  # what says nothing is near to nothing
    made = Vectors.of(
        [found.get(each, nothing) for each in of_passages],
        {question: found.get(said, nothing) for question, said in of_questions.items()},
        n,
    )
    return Made({"vectors.npz": made.to_bytes()}, f"{len(found):,} vectors of {n:,} numbers, by {model}")


def _without(text: str, rules: Sequence[str]) -> str:
    """Return a text without what the rules find."""
    if not rules:
        return text
    example = Example(messages=(Message("user", text),), original="", source="", path="", line=1, group="", raw="")
    return redacted(replace(example, context=""), rules).messages[0].content or ""
