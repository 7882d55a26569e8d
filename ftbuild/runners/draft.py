"""The drafting action: a teacher model is asked for training examples."""

from ftbuild.chat import Message
from ftbuild.completion import Prompt
from ftbuild.evaluate.dialogue import play
from ftbuild.outcome import Build
from ftbuild.plan.action import Action
from ftbuild.runners.answers import ask
from ftbuild.runners.formats import json_lines
from ftbuild.runners.workshop import Workshop
from ftbuild.voice import Voice
from ftbuild.workers import Made


def draft(shop: Workshop, action: Action, _key: str, _done: Build, voice: Voice) -> Made:
    """Ask every prompt, one after the other where they are the same: each has a seed of its own."""
    said = {name: action.settings[name] for name in ("temperature", "max_completion_tokens")}
    plays = {
        number: play(Prompt((Message("user", text),), {**said, "seed": number}, number), 1, lambda _: None)
        for number, text in enumerate(action.settings["prompts"])
    }
    answers = ask(shop, "base", shop.settings.model.id, plays, voice)
    replies = [{"reply": answers[number].last.content} for number in plays]
    return Made({"replies.jsonl": json_lines(replies)}, f"{len(replies):,} replies")
