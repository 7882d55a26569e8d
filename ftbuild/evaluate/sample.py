"""Ask a model for the answer to every example: bounded concurrency, resumable call by call."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ftbuild.chat import Message
from ftbuild.completion import Completer, Completion
from ftbuild.evaluate.calls import Calls, digest_of


def sample(
    prompts: Mapping[str, Sequence[Message]],
    completer: Completer,
    calls: Calls,
    model: str,
    parameters: Mapping[str, Any],
    concurrency: int,
    show: Callable[[int, int], None],
) -> dict[str, Completion]:
    """Return the answer to each prompt, by its id; `show` gets (answered, all) as answers arrive.

    Raises:
        ProviderError: a request failed; the answers that came before it are kept in `calls`.
    """
    names = {name: digest_of(model, messages, parameters) for name, messages in prompts.items()}
    answers = {name: kept for name, digest in names.items() if (kept := calls.get(digest)) is not None}
    missing = [name for name in prompts if name not in answers]
    show(len(answers), len(prompts))

    async def ask_all() -> None:
        gate = asyncio.Semaphore(concurrency)

        async def ask(name: str) -> None:
            async with gate:
                answer = await completer.complete(model, prompts[name], parameters)
            calls.put(names[name], answer)
            answers[name] = answer
            show(len(answers), len(prompts))

        try:
            async with asyncio.TaskGroup() as group:
                for name in missing:
                    group.create_task(ask(name))
        finally:
            await completer.close()

    if missing:
        try:
            asyncio.run(ask_all())
        except* Exception as failures:
            raise failures.exceptions[0] from None
    return {name: answers[name] for name in prompts}
