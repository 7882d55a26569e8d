"""Ask a model for the answer to every example: bounded concurrency, resumable call by call."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

from ftbuild.completion import Completer, Completion, Prompt
from ftbuild.errors import ProviderError
from ftbuild.evaluate.calls import Calls, digest_of


def sample(
    prompts: Mapping[str, Prompt],
    completer: Completer,
    calls: Calls,
    model: str,
    concurrency: int,
    show: Callable[[int, int], None],
) -> dict[str, Completion]:
    """Return the answer to each prompt, in the order of `prompts`; `show` gets (answered, all) as answers arrive.

    Equal requests are sent once. After a failure nothing more is sent; what is under way is waited for and kept.

    Raises:
        ProviderError: a request failed (the first one that did); a later call asks for the rest.
    """
    digests = {name: digest_of(model, each.messages, each.parameters) for name, each in prompts.items()}
    answers = {digest: kept for digest in digests.values() if (kept := calls.get(digest)) is not None}
    missing = {digest: prompts[name] for name, digest in digests.items() if digest not in answers}
    waiting = Counter(digests.values())
    show(sum(waiting[digest] for digest in answers), len(prompts))

    def keep(digest: str, answer: Completion) -> None:
        calls.put(digest, answer)
        answers[digest] = calls.get(digest) or answer  # another client may have been first: its answer is everyone's
        show(sum(waiting[each] for each in answers), len(prompts))

    if missing:
        failures = asyncio.run(_ask_all(missing, completer, model, concurrency, keep))
        if failures:
            raise failures[0]
    return {name: answers[digest] for name, digest in digests.items()}


async def _ask_all(
    missing: Mapping[str, Prompt],
    completer: Completer,
    model: str,
    concurrency: int,
    keep: Callable[[str, Completion], None],
) -> list[ProviderError]:
    """Ask with `concurrency` askers that share one queue; return the failures, of each asker one at most."""
    queue = iter(missing.items())
    failures: list[ProviderError] = []

    async def ask() -> None:
        for digest, prompt in queue:
            try:
                answer = await completer.complete(model, prompt.messages, prompt.parameters)
            except ProviderError as error:
                failures.append(error)
            else:
                keep(digest, answer)
            if failures:
                return

    try:
        await asyncio.gather(*(ask() for _ in range(min(concurrency, len(missing)))))
    finally:
        await completer.close()
    return failures
