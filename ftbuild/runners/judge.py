"""The judging action: a model is asked, in both orders, which of two answers is better."""

from typing import Any

from ftbuild.chat import Message, said
from ftbuild.completion import Prompt
from ftbuild.evaluate.dialogue import play
from ftbuild.outcome import Build
from ftbuild.plan.action import Action
from ftbuild.report.words import judge_in_words
from ftbuild.runners.answers import ask
from ftbuild.runners.formats import dialogues, final, json_lines, parse_lines
from ftbuild.runners.workshop import Workshop
from ftbuild.scorers.judge import MAX_TOKENS, asked
from ftbuild.tools.own import as_it_was
from ftbuild.voice import Voice
from ftbuild.workers import Made


def judge(shop: Workshop, action: Action, _key: str, done: Build, voice: Voice) -> Made:
    """Compare every sample of an arm's answers with its reference, or the two answers of every labelled pair."""
    pairs = action.settings.get("labelled") or _pairs(action, done, is_played=shop.settings.evaluation.turns > 1)
    sent = {"temperature": 0.0, "max_completion_tokens": MAX_TOKENS, "seed": 0}
    plays = {
        (number, order): play(Prompt((Message("user", text),), sent), 1, lambda _: None)
        for number, pair in enumerate(pairs)
        for order, text in enumerate(asked(action.settings["rubric"], pair["message"], pair["one"], pair["other"]))
    }
    answers = ask(shop, "base", shop.settings.model.id, plays, voice)
    replies = [[answers[number, order].last.content for order in (0, 1)] for number in range(len(pairs))]
    lines = [
        {**{name: pair[name] for name in ("id", "sample", "better") if name in pair}, "replies": both}
        for pair, both in zip(pairs, replies, strict=True)
    ]
    note = f"{len(plays):,} replies"
    if "labelled" in action.settings:
        from ftbuild.evaluate.trust import trust

        seen = trust(lines, shop.settings.judge.at_least)
        note += f" on {seen.found.n} labelled pairs, {judge_in_words(seen.to_json())}"
    return Made({"judgements.jsonl": json_lines(lines)}, note)


def _pairs(action: Action, done: Build, *, is_played: bool) -> list[dict[str, Any]]:
    """Return every sample beside the reference answer; of dialogues, those that have one."""
    answers = dialogues(done.read(action, "predictions"))
    examples = map(as_it_was, parse_lines(done.read(action, "examples")))
    return [
        {
            "id": each["id"],
            **({"sample": number} if number else {}),
            "message": each["raw"],
            "one": final(answer, is_played=is_played),
            "other": said(Message.from_json(each["messages"][-1])),
        }
        for each in examples
        if not (is_played and each["messages"][-1].get("tool_calls"))
        for number, answer in enumerate(answers[each["id"]])
    ]
