"""`ftbuild chat RUN`: lines in, the answers of the run's model and of its base model out, side by side.

Each line is a conversation of its own, sent as the test examples of the run were: with the system message, the short
forms written out, the form of answers that its experiment has, and its tools as they are told, by the names and the
strict schemas that the provider takes; tools that single examples bring along are not there. Writes nothing down.
"""

import asyncio
import json
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ftbuild.answer_forms import forms_of
from ftbuild.chat import Message, said
from ftbuild.cli.build import composed_of, world_of
from ftbuild.cli.diff import find_run
from ftbuild.cli.export import is_smoke
from ftbuild.cli.layout import columns, hang
from ftbuild.cli.options import Options, parse
from ftbuild.completion import Completion
from ftbuild.composed import Composed
from ftbuild.dataset.offered import Terms, as_told, names_told
from ftbuild.errors import ConfigError, ExitCode, ProviderError
from ftbuild.history import Run
from ftbuild.ledger.checkpoints import choose
from ftbuild.problem import Problem
from ftbuild.providers.connection import Connection
from ftbuild.runners.answers import FLAG, NOT_SENT
from ftbuild.style import expand
from ftbuild.tool_files import tools_of

if TYPE_CHECKING:
    from rich.table import Table

SCHEMA_VERSION = 1
SCRIPTED = (
    "The run is a rehearsal: its answers are made up, and no model is asked. For real ones build it with the provider."
)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Answer:
    """What a model has said so far, and whether that is an error of the provider's."""

    completion: Completion
    failed: str = ""

    @property
    def text(self) -> str:
        """Return it for people."""
        cut = " [cut at the limit of tokens]" if self.completion.finish_reason == "length" else ""
        text = f"no answer: {self.failed}" if self.failed else said(self.completion.message) + cut
        return CONTROL.sub("\ufffd", text)  # a model may say what makes a terminal do things


def chat(options: Options) -> int:
    """Answer line by line until the input ends.

    Raises:
        ConfigError: not one word, no such run, one without a model, or its experiment is no longer there.
        ProviderError: the server cannot be started.
    """
    if len(options.words) != 1 or options.overrides:
        raise ConfigError(Problem("chat takes a run", "command line", fix="ftbuild chat latest"))
    run = find_run(options.words[0], options)
    composed = _composed(run, options)
    models = options.model.split(",") if options.model else _models(run, composed)
    world = world_of(replace(options, smoke=is_smoke(run, options)))
    talk = Talk(composed, models, Connection(composed.settings.provider, composed.settings.model, world))
    if composed.settings.retrieval.documents is not None:
        print("The experiment puts passages before a question; here a question goes alone.", file=sys.stderr)
    if composed.settings.provider.makes_up:
        print(SCRIPTED, file=sys.stderr)
    failed = False
    with asyncio.Runner() as runner:
        try:
            for line in _lines(models):
                answers = runner.run(talk.answers(line, live=sys.stdout.isatty() and options.format == "text"))
                failed = failed or any(each.failed for each in answers.values())
                _print(line, answers, options)
        except KeyboardInterrupt:
            return int(ExitCode.INTERRUPTED)
        finally:
            runner.run(talk.close())
    return int(ExitCode.PROVIDER if failed else ExitCode.DONE)


def _composed(run: Run, options: Options) -> Composed:
    """Return the settings of the run as its command composes them now."""
    again = parse("build", shlex.split(run.told["command"])[1:])
    return composed_of(replace(again, folder=options.folder)).points[0]


def _models(run: Run, composed: Composed) -> list[str]:
    """Return the base model and the one that the run tested, by the names they answer to.

    Raises:
        ConfigError: the run trained none.
    """
    name = run.told.get("fine_tuned_model")
    if not name:
        fix = f"ftbuild runs lists others; the base model alone: --model {composed.settings.model.id}"
        raise ConfigError(Problem(f"{run.run_id} has no fine-tuned model", "command line", fix=fix))
    training = (run.report() or {}).get("training")
    if training:
        name = choose({**training, "fine_tuned_model": training["model"]}, composed.settings.method.checkpoint).model
    provider = composed.settings.provider
    return [provider.base_deployment or composed.settings.model.id, provider.deployment or str(name)]


def _lines(models: Sequence[str]) -> Iterator[str]:
    """Yield what is typed or piped, without empty lines."""
    if not sys.stdin.isatty():
        yield from (line.strip() for line in sys.stdin if line.strip())
        return
    with suppress(ImportError):
        import readline  # noqa: F401  # input() then has a history
    print(f"{' and '.join(models)}. Each line is a conversation of its own; Ctrl-D ends.", file=sys.stderr)
    while True:
        try:
            line = input("> ").strip()
        except EOFError:
            print()
            return
        if line:
            yield line


class Talk:
    """Asks the models of a run as the run did."""

    def __init__(self, composed: Composed, models: Sequence[str], connection: Connection) -> None:
        settings = composed.settings
        self._models, self._connection, self._style = models, connection, settings.style
        sent = {name: value for name, value in settings.request.keyed().items() if name not in NOT_SENT}
        self._parameters: dict[str, Any] = {**sent, "seed": settings.sampling_seed}
        if tools := tools_of(composed):
            terms = Terms(names_told(tool.name for tool in tools), settings.request.strict_tools)
            flag = False if settings.calls_one_by_one else settings.request.parallel_tool_calls
            self._parameters |= {"tools": [as_told(tool, terms).to_json() for tool in tools]}
            self._parameters |= {FLAG: flag} if flag is not None else {}
        forms = list(forms_of(composed).values())
        if len(forms) == 1:
            self._parameters["response_format"] = forms[0].to_json()

    async def answers(self, line: str, *, live: bool) -> dict[str, Answer]:
        """Return what each model says to a line; `live` shows it on the terminal as it grows."""
        system = [Message("system", self._style.system)] if self._style.system else []
        messages = [*system, Message("user", expand(line, self._style))]
        told = {model: Answer(Completion("")) for model in self._models}
        asking = asyncio.gather(*(self._ask(model, messages, told) for model in self._models))
        if not live:
            await asking
            return told
        from rich.live import Live

        with Live(get_renderable=lambda: side_by_side(told), refresh_per_second=10, vertical_overflow="visible"):
            await asking
        return told

    async def _ask(self, model: str, messages: Sequence[Message], told: dict[str, Answer]) -> None:
        try:
            async for completion in self._connection.stream(model, messages, self._parameters):
                told[model] = Answer(completion)
        except ProviderError as error:
            told[model] = replace(told[model], failed=error.problems[0].what)

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()


def side_by_side(answers: Mapping[str, Answer]) -> "Table":
    """Return the answers in columns of one width, for rich."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, expand=True, padding=(0, 2, 0, 0), header_style="bold")
    for model in answers:
        table.add_column(Text(model), ratio=1, overflow="fold")
    table.add_row(*(Text(each.text) for each in answers.values()))
    return table


def _print(line: str, answers: Mapping[str, Answer], options: Options) -> None:
    if options.format == "json":
        shown = [
            {"model": name, **each.completion.to_json(), "error": each.failed or None} for name, each in answers.items()
        ]
        print(json.dumps({"schema_version": SCHEMA_VERSION, "input": line, "answers": shown}, ensure_ascii=False))
    elif not sys.stdout.isatty():
        widest = max(map(len, answers))
        print(f"> {line}")
        for model, each in answers.items():
            for number, part in enumerate(each.text.split("\n")):
                print(hang(f"{'' if number else model:{widest}}   ", part, columns()))
    sys.stdout.flush()
