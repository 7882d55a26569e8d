"""What paid actions will cost, as far as anybody knows: tokens counted, prices as last seen.

Pure. None is unknown, which is not nothing. Sources: OpenAI fine-tuning guide (2026-11) for what is counted, the
OpenAI cookbook's data preparation notebook for how many epochs `auto` becomes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ftbuild.plan.estimate import NOTHING, Estimate
from ftbuild.scorers.judge import MAX_TOKENS, ORDERS, PROMPT
from ftbuild.settings import Model, Provider, Settings, Tunable
from ftbuild.settings.training import Auto

AUTO_EPOCHS, AUTO_LEAST, AUTO_MOST, AUTO_EPOCHS_AT_MOST = 3, 100, 25_000, 25
CHECKPOINTS = 3  # of a job are kept, those of its last epochs
CHARACTERS_PER_TOKEN = 4  # of English, about


@dataclass(frozen=True)
class Sizes:
    """How many examples there are to be trained on and to be answered, and their tokens, counted in `encoding`."""

    n_train: int
    train_tokens: int
    n_validation: int
    validation_tokens: int
    n_test: int
    test_tokens: int
    encoding: str


def tunable(provider: Provider, model: Model) -> Tunable | None:
    """Return what the provider's profile knows of a model; of a fine-tuned one, what it knows of its base."""
    return next((each for each in (provider.models or {}).values() if each.id in (model.id, model.base)), None)


def epochs(asked: int | Auto, n_examples: int) -> int:
    """Return how often the training lines are gone over; `auto` is what OpenAI is seen to make of it."""
    if asked != "auto":
        return asked
    if n_examples * AUTO_EPOCHS < AUTO_LEAST:
        return min(AUTO_EPOCHS_AT_MOST, AUTO_LEAST // max(n_examples, 1))
    if n_examples * AUTO_EPOCHS > AUTO_MOST:
        return max(1, AUTO_MOST // n_examples)
    return AUTO_EPOCHS


def of_job(settings: Settings, sizes: Sizes | None) -> Estimate:
    """Return what a job trains on and costs; validation is free. `sizes` are None while the data is not built."""
    provider = settings.provider
    if provider.kind == "embedded":
        return NOTHING
    if sizes is None:
        return Estimate(None, 0 if is_free(provider) else None, estimated=True)
    asked = settings.method.hyperparameters.n_epochs
    n_tokens = sizes.train_tokens * epochs(asked, sizes.n_train)
    price = _price(provider, settings.model, lambda found: found.usd_training)
    if not is_free(provider) and (provider.prices is None or settings.method.type not in provider.prices.methods):
        price = None
    return Estimate(n_tokens, _usd(n_tokens, price), asked == "auto" or not _counts_alike(provider, sizes))


def of_answers(settings: Settings, sizes: Sizes | None) -> Estimate:
    """Return what the answers of one arm cost at most: each as long as it may be, all that it reads charged in full.

    A dialogue takes all its turns, and reads again what was said in it; the results of tools are not counted. How many
    answers there are where every one of a conversation is a target is not known.
    """
    provider, asked = settings.provider, settings.evaluation
    if provider.kind == "embedded":
        return NOTHING
    if sizes is None or asked.targets == "every":
        return Estimate(None, 0 if is_free(provider) else None, estimated=True)
    longest = sizes.n_test * asked.samples * settings.request.max_completion_tokens
    n_out = longest * asked.turns
    n_in = sizes.test_tokens * asked.samples * asked.turns + longest * (asked.turns * (asked.turns - 1) // 2)
    return Estimate(n_in + n_out, of_tokens(settings, n_in, n_out), estimated=True)


def of_tokens(settings: Settings, n_in: int, n_out: int) -> float | None:
    """Return what tokens read and written cost in USD at the prices listed, None where one is unknown."""
    read = _usd(n_in, _price(settings.provider, settings.model, lambda found: found.usd_input))
    written = _usd(n_out, _price(settings.provider, settings.model, lambda found: found.usd_output))
    return None if read is None or written is None else read + written


def of_judgements(settings: Settings, sizes: Sizes | None) -> Estimate:
    """Return what the judgements of one arm cost at most; `settings` are those of the judge.

    A judgement reads the message, its reference and an answer as long as it may be, of a dialogue the one at its end.
    As many as there are answers, every sample one: see `of_answers`.
    """
    asked = settings.evaluation
    if sizes is None or asked.targets == "every":
        return of_pairs(settings, None, 0)
    n_tokens = sizes.test_tokens + sizes.n_test * settings.request.max_completion_tokens
    return of_pairs(settings, sizes.n_test * asked.samples, n_tokens * asked.samples)


def of_pairs(settings: Settings, n: int | None, n_tokens: int) -> Estimate:
    """Return what `n` judgements cost that read `n_tokens` in all, None for a number that is not known.

    Either order is asked, with the rubric around it; `settings` are those of the judge.
    """
    if settings.provider.kind == "embedded":
        return NOTHING
    if n is None:
        return Estimate(None, 0 if is_free(settings.provider) else None, estimated=True)
    around = len(PROMPT + (settings.judge.rubric or "")) // CHARACTERS_PER_TOKEN
    n_in, n_out = ORDERS * (n_tokens + n * around), ORDERS * n * MAX_TOKENS
    return Estimate(n_in + n_out, of_tokens(settings, n_in, n_out), estimated=True)


def of_drafts(settings: Settings, prompts: Sequence[str]) -> Estimate:
    """Return what replies to prompts cost at most; `settings` are those of the teacher."""
    n_in = sum(map(len, prompts)) // CHARACTERS_PER_TOKEN
    n_out = len(prompts) * settings.request.max_completion_tokens
    return Estimate(n_in + n_out, of_tokens(settings, n_in, n_out), estimated=True)


def prices(provider: Provider, model: Model) -> dict[str, object]:
    """Return the prices of a million tokens read and written, in US dollars, and when they were seen."""
    return {
        "input": _price(provider, model, lambda found: found.usd_input),
        "output": _price(provider, model, lambda found: found.usd_output),
        "as_of": provider.prices.as_of if provider.prices is not None and not is_free(provider) else None,
    }


def is_free(provider: Provider) -> bool:
    """Return whether nothing is paid there."""
    return provider.is_ours or provider.free


def _price(provider: Provider, model: Model, of: Callable[[Tunable], float | None]) -> float | None:
    """Return a price of a million tokens, None where it is unknown."""
    if is_free(provider):
        return 0
    found = tunable(provider, model)
    return of(found) if found else None


def _usd(n_tokens: int, price: float | None) -> float | None:
    return None if price is None else round(n_tokens * price / 1e6, 6)


def _counts_alike(provider: Provider, sizes: Sizes) -> bool:
    return provider.prices is not None and provider.prices.encoding == sizes.encoding
