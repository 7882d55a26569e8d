"""What providers say when a job fails, and what we say to it."""

import pytest

from ftbuild.errors import ProviderError
from ftbuild.ledger.failures import ended_badly, failure, parked, refused

# Messages as users met them (OpenAI's and Azure's, 2024 to 2026); a word that says which entry is meant.
SEEN = [
    ("invalid_training_file", "The job failed due to an invalid training file. Invalid file format.", "training lines"),
    ("invalid_file_format", "The job failed due to a file format error in the training file.", "training lines"),
    (None, "contains invalid schema (20)", "training lines"),
    ("exceeded_quota", "Fine-tuning jobs cannot be created on this account.", "limit is used up"),
    ("insufficient_quota", "You exceeded your current quota, please check your plan and billing details.", "used up"),
    (None, "Error while running moderation eval refusals_v3 for snapshot ft:gpt-4o:x", "safety check"),
    ("unsafe_file", "The job failed due to an unsafe training file.", "safety check"),
    (None, "eval for category hate/threatening", "safety check"),
    (None, "This training file was blocked by our moderation system", "safety check"),
    ("file_expired", "File file-1 has expired.", "was gone"),
    ("invalid_file", "invalid training_file: file-abc does not exist", "training lines"),
    (None, "No such File object: file-abc", "was gone"),
    (None, "File not ready", "still reading"),
    (None, "You are not allowed to create fine-tuning jobs.", "may not fine-tune"),
    (None, "You do not have access to this resource", "may not fine-tune"),
    (None, "Fine-tuning is no longer available to your organization.", "may not fine-tune"),
    ("missing_scope", "You have insufficient permissions for this operation. Missing scopes: x", "The key may not"),
    ("invalid_api_key", "Incorrect API key provided: [key].", "does not take the key"),
    ("model_not_available", "Model gpt-9 is not available for fine-tuning or does not exist.", "base model"),
    ("training_diverged", "The training loss is not a number at step 3.", "too large"),
    ("rate_limit_exceeded", "You have too many active jobs.", "enough of our jobs"),
    (None, "The server had an error processing your request", "broke at the provider"),
    (None, "Internal server error", "broke at the provider"),
]


@pytest.mark.parametrize(("code", "message", "means"), SEEN, ids=[each[1][:40] for each in SEEN])
def test_known_errors_are_explained(code: str | None, message: str, means: str) -> None:
    known = failure(message, code)
    assert known is not None
    assert means in known.means


@pytest.mark.parametrize("message", ["out of memory", "Something odd: 17", "", None])
def test_an_unknown_error_is_not_guessed_at(message: str | None) -> None:
    assert failure(message, None) is None


def test_a_failed_job_tells_the_providers_words_what_they_mean_and_what_to_do() -> None:
    assert str(ended_badly("ftjob-1", "failed", "Over quota.", "exceeded_quota")) == (
        "ftjob-1 failed: Over quota.\n"
        "    The account's money or limit is used up. "
        "It is not launched again by itself: a job costs money and hours.\n"
        "    Fix: raise it at the provider, then ftbuild retry ftjob-1"
    )
    assert str(ended_badly("ftjob-1", "failed", "Blocked by moderation.")) == (
        "ftjob-1 failed: Blocked by moderation.\n"
        "    The provider's safety check objects to the data, or to the model made of it. "
        "It is not launched again by itself: a job costs money and hours.\n"
        "    Fix: take out what it may object to (ftbuild show), then build again."
    )
    assert str(ended_badly("ftjob-1", "failed", None)) == (
        "ftjob-1 failed: the provider gives no reason\n"
        "    It is not launched again by itself: a job costs money and hours.\n"
        "    Fix: ftbuild retry ftjob-1"
    )


def test_a_paused_job_names_its_remedy() -> None:
    error = parked("ftjob-1", "paused")
    assert (str(error), error.exit_code) == (
        "ftjob-1 is paused at the provider\n"
        "    It goes on when it is resumed, and not before; nothing is lost.\n"
        "    Fix: ftbuild resume ftjob-1, then the same command again.",
        5,
    )


def test_a_refusal_is_explained_and_a_lost_answer_never_called_one() -> None:
    no = refused(ProviderError("openai: Permission denied for this organization", status=403))
    assert str(no) == (
        "openai: Permission denied for this organization\n"
        "    This account may not fine-tune. No job was launched.\n"
        "    Fix: another provider (the data stays as it is), or provider=embedded on this machine."
    )
    lost = refused(ProviderError("openai: The server had an error", status=500))
    assert str(lost) == (
        "openai: The server had an error\n    Fix: the same command again: it looks for the job first."
    )
    early = refused(ProviderError("openai: Rate limit reached", status=429, retry_after=7.0))
    assert str(early) == (
        "openai: Rate limit reached\n"
        "    The provider has enough of our jobs or requests for now. It asks for 7 seconds of quiet. "
        "No job was launched.\n"
        "    Fix: wait for the others (ftbuild jobs)."
    )
    odd = ProviderError("openai: teapot", status=418)
    assert refused(odd) is odd
