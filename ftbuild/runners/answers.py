"""The answers of one arm: free ones made here, the others asked for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ftbuild.chat import Message
from ftbuild.completion import Completion, Prompt
from ftbuild.digest import of_value, short
from ftbuild.errors import ConfigError
from ftbuild.ledger.checkpoints import choose
from ftbuild.outcome import Build
from ftbuild.plan.action import Action
from ftbuild.plan.gates import deploying
from ftbuild.problem import Problem
from ftbuild.retrieval.grounding import without_context
from ftbuild.runners.formats import json_lines, parse_lines
from ftbuild.runners.wording import suffix
from ftbuild.runners.workshop import Workshop
from ftbuild.tools.own import own_calls
from ftbuild.voice import Voice
from ftbuild.workers import Made

FLAG = "parallel_tool_calls"  # sent with tools alone
OWN = ("tools", FLAG, "response_format")  # of an example
NOT_SENT = (FLAG, "strict_tools")  # of the settings: they are in the examples


def predict(shop: Workshop, action: Action, _key: str, done: Build, voice: Voice) -> Made:
    """Answer every test example with one arm."""
    from ftbuild.evaluate import arms
    from ftbuild.evaluate.shots import drawn, with_shots

    examples = list(parse_lines(done.read(action, "examples")))
    kind = action.settings["kind"]
    if kind == "echo":
        answers = {each["id"]: Completion(arms.echo(each["raw"])) for each in examples}
    elif kind == "rules":
        arm = shop.settings.evaluation.arms[action.label]
        answers = {each["id"]: Completion(arms.rules(each["raw"], shop.settings.style, arm)) for each in examples}
    else:
        job = json.loads(done.read(action, "job")) if kind == "tuned" else None
        rule = action.settings.get("checkpoint", "last")
        model = choose(job, rule).model if job else shop.settings.model.id
        shots = list(parse_lines(done.read(action, "shots"))) if "examples" in action.settings else []
        if action.settings.get("retrieval") is False:
            examples, shots = _bare(examples), _bare(shots)
        if shots:
            before = [each["messages"] for each in drawn(shots, action.settings["examples"], shop.settings.seed)]
            examples = [{**each, "messages": with_shots(each["messages"], before)} for each in examples]
        answers = _ask(shop, kind, model, examples, voice)
        asked = {each["id"]: each for each in examples}
        answers = {
            name: replace(each, tool_calls=own_calls(each.tool_calls, asked[name])) if each.tool_calls else each
            for name, each in answers.items()
        }
    predictions = json_lines({"id": name, **answer.to_json()} for name, answer in answers.items())
    cut = sum(answer.finish_reason == "length" for answer in answers.values())
    return Made(
        {"predictions.jsonl": predictions},
        f"{len(answers):,} answers" + (f", {cut} cut at the limit of tokens" if cut else ""),
    )


def _bare(examples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return examples without the passages in their prompts."""
    return [{**each, "messages": without_context(each["messages"], each.get("context", ""))} for each in examples]


def prompt(example: Mapping[str, Any], parameters: Mapping[str, Any]) -> Prompt:
    """Return what is asked of an example: as in training, its tools, their flag and its form go with it, no weights."""
    own = {name: example[name] for name in OWN if name in example}
    asked = map(Message.from_json, example["messages"][:-1])
    return Prompt(tuple(each._replace(weight=None) for each in asked), {**parameters, **own})


def deployed(shop: Workshop, kind: str, model: str) -> str:
    """Return by which name a model answers: its own, or that of its deployment where the provider wants one.

    Raises:
        ConfigError: it must be deployed first; with the command.
    """
    provider = shop.settings.provider
    if provider.deploys is None or provider.is_ours:
        return model
    key, name = (
        ("deployment", provider.deployment) if kind == "tuned" else ("base_deployment", provider.base_deployment)
    )
    if name is None:
        suggested = suffix(shop.experiment, provider)
        raise ConfigError(
            Problem(
                f"{model} answers only where it is deployed ({provider.deploys.source})",
                f"provider.{key}",
                why=f"Deploy it, and wait until it is there: {deploying(provider, model, suggested)}",
                fix=f"the same command and provider.{key}={suggested}; delete the deployment afterwards, for it costs.",
            )
        )
    return name


def _ask(shop: Workshop, kind: str, model: str, examples: list[dict[str, Any]], voice: Voice) -> dict[str, Completion]:
    from ftbuild.evaluate.calls import Calls
    from ftbuild.evaluate.sample import sample

    # Two providers, or two models of one name (a conf/model file edited), never share an answer.
    asked: dict[str, Any] = {"provider": shop.settings.provider.keyed(), "model": shop.settings.model.keyed()}
    named = deployed(shop, kind, model)
    asked |= {"deployed": model} if named != model else {}
    calls = Calls(shop.world.store / "calls.db", scope=short(of_value(asked)))

    def show(n: int, total: int) -> None:
        voice.sleep(0)
        voice.progress(f"{n} of {total} answers")

    sent = {name: value for name, value in shop.settings.request.keyed().items() if name not in NOT_SENT}
    parameters = {**sent, "seed": shop.settings.seed}
    prompts = {each["id"]: prompt(each, parameters) for each in examples}
    try:
        return sample(
            prompts,
            shop.connect(),
            calls,
            named,
            shop.settings.evaluation.concurrency,
            show,
        )
    finally:
        calls.close()
