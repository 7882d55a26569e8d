"""The answers of one arm: free ones made here, the others asked for."""

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from ftbuild.chat import Message, ToolCall
from ftbuild.completion import UNREADABLE, Completion, Dialogue, Prompt
from ftbuild.digest import of_value, short
from ftbuild.errors import ConfigError, ProviderError
from ftbuild.evaluate.dialogue import RESULT, TURNS, Play, begun, play, results_for
from ftbuild.ledger.checkpoints import choose
from ftbuild.outcome import Build
from ftbuild.plan.action import Action
from ftbuild.plan.cost import of_tokens
from ftbuild.plan.gates import deploying
from ftbuild.problem import Problem
from ftbuild.report.words import first_large
from ftbuild.retrieval.grounding import without_context
from ftbuild.runners.formats import json_lines, parse_lines
from ftbuild.runners.wording import suffix
from ftbuild.runners.workshop import Workshop
from ftbuild.tools.own import as_it_was, own_calls
from ftbuild.voice import Voice
from ftbuild.workers import Made

FLAG = "parallel_tool_calls"  # sent with tools alone
OWN = ("tools", FLAG, "response_format")  # of an example
TOO_LONG = "context_length_exceeded"  # as OpenAI's protocol calls it
NOT_SENT = (FLAG, "strict_tools")  # of the settings: they are in the examples
Name = TypeVar("Name", bound=Hashable)
Messages = Sequence[Mapping[str, Any]]


def predict(shop: Workshop, action: Action, _key: str, done: Build, voice: Voice) -> Made:
    """Answer every test example with one arm."""
    from ftbuild.evaluate import arms
    from ftbuild.evaluate.shots import drawn

    examples = list(parse_lines(done.read(action, "examples")))
    kind = action.settings["kind"]
    if kind == "echo":
        answers = [(each["id"], 0, Dialogue(Completion(arms.echo(each["raw"])))) for each in examples]
    elif kind == "rules":
        arm = shop.settings.evaluation.arms[action.arm]
        rewritten = [(each["id"], arms.rules(each["raw"], shop.settings.style, arm)) for each in examples]
        answers = [(name, 0, Dialogue(Completion(text))) for name, text in rewritten]
    else:
        job = json.loads(done.read(action, "job")) if kind == "tuned" else None
        rule = action.settings.get("checkpoint", "last")
        model = choose(job, rule).model if job else shop.settings.model.id
        shots = list(parse_lines(done.read(action, "shots"))) if "examples" in action.settings else []
        if action.settings.get("retrieval") is False:
            examples, shots = _bare(examples), _bare(shots)
        before = [each["messages"] for each in drawn(shots, action.settings.get("examples", 0), shop.settings.seed)]
        try:
            answers = answered(shop, kind, model, examples, before, voice)
        except ProviderError as error:
            if error.code != TOO_LONG:
                raise
            raise _too_long(error, shop, action, len(before)) from error
    return Made({"predictions.jsonl": written(shop, action, examples, answers)}, told([each for *_, each in answers]))


def _too_long(error: ProviderError, shop: Workshop, action: Action, n_before: int) -> ProviderError:
    """Return the error of a request that no model of this size can read, with what makes it so long."""
    name, arm = f"evaluation.arms.{action.arm}", shop.settings.evaluation.arms[action.arm]
    has_passages = shop.settings.retrieval.documents is not None and arm.retrieval is not False
    stands = [f"{n_before} examples stand before each question"] if n_before else []
    stands += (
        ["passages go with each of them" if n_before else "passages go with each question"] if has_passages else []
    )
    ways = [f"{name}.examples={n_before - 1} or fewer"] if n_before else []
    ways += [f"{name}.retrieval=false"] if has_passages else []
    fix = f"{', or '.join(ways or ['a smaller request.max_completion_tokens, or shorter examples'])}."
    told = Problem(
        error.problems[0].what, name, why=f"{first_large(', and '.join(stands))}." if stands else "", fix=fix
    )
    return ProviderError(told, status=error.status, code=error.code)


def written(
    shop: Workshop,
    action: Action,
    examples: Sequence[Mapping[str, Any]],
    answers: Iterable[tuple[str, int, Dialogue]],
) -> bytes:
    """Return answers as lines, each with the results that the calls in the data have where dialogues are played."""
    wanted = _wanted(shop, examples) if "turns" in action.settings else {}
    return json_lines(
        {
            "id": name,
            **({"sample": number} if number else {}),
            **answer.to_json(),
            **({"wanted": wanted[name]} if name in wanted else {}),
        }
        for name, number, answer in answers
    )


def told(answers: Sequence[Dialogue]) -> str:
    """Return how many answers there are, and how many of them are not what was asked for."""
    cut = sum(each.last.finish_reason == "length" for each in answers)
    ended = Counter(each.ended for each in answers)
    unread = sum(each.last.finish_reason == UNREADABLE for each in answers)
    ways = (
        (cut, "cut at the limit of tokens"),
        (unread, "that nobody can read"),
        (ended[TURNS], "out of turns"),
        (ended[RESULT], "without a result"),
    )
    return f"{len(answers):,} answers" + "".join(f", {n} {how}" for n, how in ways if n)


def _wanted(shop: Workshop, examples: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the results of the calls in the data, by example, where each of them has one: recorded, or else run."""
    runs, found = shop.results(), {}
    for example in map(as_it_was, examples):
        reference = example["messages"][begun(example["messages"]) :]
        calls = [ToolCall.from_json(call) for each in reference for call in each.get("tool_calls", ())]
        results = list(map(results_for(reference, runs), calls))
        if results and None not in results:
            found[example["id"]] = [str(each) for each in results]
    return found


def _bare(examples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return examples without the passages in their prompts."""
    return [{**each, "messages": without_context(each["messages"], each.get("context", ""))} for each in examples]


def prompt(example: Mapping[str, Any], parameters: Mapping[str, Any], end: int | None = -1, number: int = 0) -> Prompt:
    """Return what is asked of an example: as in training, its tools, their flag and its form go with it, no weights.

    `end` is where what is asked for begins, None where it is not among the messages, `number` that of the sample.
    """
    own = {name: example[name] for name in OWN if name in example}
    asked = map(Message.from_json, example["messages"][:end])
    return Prompt(tuple(each._replace(weight=None) for each in asked), {**parameters, **own}, number)


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


def answered(
    shop: Workshop,
    kind: str,
    model: str,
    examples: Sequence[Mapping[str, Any]],
    shots: Sequence[Messages],
    voice: Voice,
) -> list[tuple[str, int, Dialogue]]:
    """Return every dialogue with the id of its example and the number of its sample; `shots` stand before each."""
    asked = {each["id"]: each for each in examples}
    played = ask(shop, kind, model, _plays(shop, examples, shots), voice)
    return [(name, number, _own(each, asked[name])) for (name, number), each in played.items()]


def ask(shop: Workshop, kind: str, model: str, plays: Mapping[Name, Play], voice: Voice) -> dict[Name, Dialogue]:
    """Return each dialogue with a model as it went, what was asked before taken from what was kept.

    Raises:
        ConfigError: it must be deployed first.
        ProviderError: a request failed; the next call asks for the rest.
    """
    from ftbuild.evaluate.calls import Calls
    from ftbuild.evaluate.sample import sample

    # Two providers, or two models of one name (a conf/model file edited), never share an answer.
    asked: dict[str, Any] = {"provider": shop.settings.provider.keyed(), "model": shop.settings.model.keyed()}
    named = deployed(shop, kind, model)
    asked |= {"deployed": model} if named != model else {}
    calls = Calls(
        shop.world.store / "calls.db",
        short(of_value(asked)),
        lambda answer: of_tokens(shop.settings, answer.prompt_tokens, answer.completion_tokens),
        shop.world.now,
    )

    def show(n: int, total: int) -> None:
        voice.sleep(0)
        voice.progress(f"{n} of {total} answers")

    n_askers, throttle = shop.settings.evaluation.concurrency, shop.throttle()
    try:
        return sample(plays, shop.connect(), calls, named, n_askers, show, throttle, lambda: voice.sleep(0))
    finally:
        calls.close()


def _plays(
    shop: Workshop, examples: Sequence[Mapping[str, Any]], shots: Sequence[Messages]
) -> dict[tuple[str, int], Play]:
    """Return what is asked, by example and sample; a sample's seed is its number above that of the settings."""
    from ftbuild.evaluate.shots import with_shots

    asked, runs = shop.settings.evaluation, shop.results()
    sent = {name: value for name, value in shop.settings.request.keyed().items() if name not in NOT_SENT}

    def started(example: Mapping[str, Any], number: int) -> Play:
        parameters = {**sent, "seed": shop.settings.sampling_seed + number}
        begin = begun(example["messages"]) if asked.turns > 1 else len(example["messages"]) - 1
        # Calls recorded in another conversation are no results of this one.
        before = with_shots(example["messages"][:begin], shots)
        own = lambda call: own_calls([call], example)[0]  # noqa: E731
        given = results_for(example["messages"], runs, own)
        return play(prompt({**example, "messages": before}, parameters, None, number), asked.turns, given)

    return {(each["id"], number): started(each, number) for each in examples for number in range(asked.samples)}


def _own(dialogue: Dialogue, example: Mapping[str, Any]) -> Dialogue:
    """Return a dialogue with its calls as calls of the example's own tools."""
    way = tuple(each._replace(tool_calls=own_calls(each.tool_calls, example)) for each in dialogue.way)
    last = replace(dialogue.last, tool_calls=own_calls(dialogue.last.tool_calls, example))
    return replace(dialogue, last=last, way=way)
