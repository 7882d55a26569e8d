"""What a provider's refusal or a job's error means, and what to do: known codes and messages, in the provider's words.

Sources: OpenAI's API reference and error guide, reports of its users, Azure's and our own server's codes (2026-11).
What is not known here is told in the provider's words alone.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from ftbuild.errors import JobError, ProviderError
from ftbuild.ledger.port import LOST
from ftbuild.problem import Problem

ONCE = "It is not launched again by itself: a job costs money and hours."


@dataclass(frozen=True)
class Failure:
    """`codes` and `message` (a pattern) say when it is meant; `means` and `do` what that is for the user.

    `again` is false where the same job would end the same way.
    """

    codes: Collection[str]
    message: str
    means: str
    do: str = ""
    again: bool = True


CLOSED = Failure(
    ("permission_denied", "fine_tuning_not_allowed", "training_not_allowed"),
    r"(not|n't) (allowed|permitted|authorized)|(no|not have) access|permission|no longer (available|accessible)",
    "This account may not fine-tune.",
    "another provider (the data stays as it is), or provider=embedded on this machine",
    again=False,
)
FAILURES = (
    Failure(
        (
            "unsafe_file",
            "content_policy_violation",
            "moderation",
            "safety_check_failed",
            "invalid_training_data_safety",
        ),
        r"moderation|usage polic|content polic|unsafe|refusals_v\d|eval for category|safety (check|eval)",
        "The provider's safety check objects to the data, or to the model made of it.",
        "take out what it may object to (ftbuild show), then build again",
        again=False,
    ),
    Failure(
        ("file_expired", "file_not_found", "file_deleted"),
        r"file.{0,40}(expired|deleted|not found|no longer|does not exist)|no such file",
        "The uploaded file was gone before the job had read it.",
    ),
    Failure(
        (LOST,),
        r"has lost the job$",
        "Another key, or one of another project, would not see it.",
        "the same command with the key that launched it; if it is gone",
    ),
    Failure(("file_not_ready",), r"file not ready|still being processed", "The provider was still reading the file."),
    Failure(
        ("invalid_training_file", "invalid_validation_file", "invalid_file_format", "invalid_file"),
        r"invalid (training|validation) file|invalid schema|file format error",
        "The provider does not take the training lines.",
        "ftbuild check says which line is wrong; mend its source and build again: other data is another job",
        again=False,
    ),
    Failure(
        ("exceeded_quota", "insufficient_quota", "billing_hard_limit_reached", "billing_not_active"),
        r"exceeded your current quota|quota|billing|insufficient (funds|credit)|spend limit",
        "The account's money or limit is used up.",
        "raise it at the provider",
    ),
    Failure(
        ("missing_scope",),
        r"missing scopes?|insufficient permissions",
        "The key may not do this, whatever the account may.",
        "a key with that permission",
    ),
    Failure(
        ("invalid_api_key",),
        r"(incorrect|invalid) api key",
        "The provider does not take the key.",
        "look at the variable of provider.api_key_env (ftbuild doctor)",
    ),
    CLOSED,
    Failure(
        ("model_not_available", "model_not_found"),
        r"model .{0,80}(not available|does not exist|not found)",
        "The base model cannot be fine-tuned here.",
        "another model: model=NAME",
        again=False,
    ),
    Failure(
        ("training_diverged",),
        r"loss is not a number|diverged|\bnan\b",
        "The steps were too large for the data.",
        "a lower method.hyperparameters.learning_rate_multiplier",
        again=False,
    ),
    Failure(
        ("rate_limit_exceeded", "too_many_jobs"),
        r"rate limit|too many (active |concurrent )?(jobs|requests)",
        "The provider has enough of our jobs or requests for now.",
        "wait for the others (ftbuild jobs)",
    ),
    Failure(
        ("server_error", "internal_error"),
        r"internal (server )?error|server had an error|something went wrong on our end",
        "Something broke at the provider.",
    ),
)


def failure(error: str | None, code: str | None, status: int | None = None) -> Failure | None:
    """Return what is known of an error; its code says more than its words."""
    for known in FAILURES:
        if code in known.codes:
            return known
    for known in FAILURES:
        if error and re.search(known.message, error, re.IGNORECASE):
            return known
    return CLOSED if status == 403 else None


def ended_badly(job_id: str, status: str, error: str | None, code: str | None = None) -> JobError:
    """Return the error of a job that failed or was cancelled: the provider's words, what they mean, what to do."""
    known = failure(error, code)
    why = ONCE if known is None else f"{known.means} {ONCE}"
    return JobError(Problem(_said(job_id, status, error), why=why, fix=remedy(job_id, known)), job_id=job_id)


def remedy(job_id: str, known: Failure | None) -> str:
    """Return what to do about a job that ended badly."""
    retry = f"ftbuild retry {job_id}"
    if known is None or not known.do:
        return retry
    return f"{known.do}, then {retry}" if known.again else f"{known.do}."


def parked(job_id: str, status: str) -> JobError:
    """Return the error of a job that stands still until somebody resumes it."""
    return JobError(
        Problem(
            f"{job_id} is {status} at the provider",
            why="It goes on when it is resumed, and not before; nothing is lost.",
            fix=f"ftbuild resume {job_id}, then the same command again.",
        ),
        job_id=job_id,
    )


def refused(error: ProviderError) -> ProviderError:
    """Return the error of a launch with what it means, where nothing is said yet."""
    first = error.problems[0]
    if first.why or first.fix:
        return error
    if error.status is None or error.status >= 500 or error.status in (408, 409):
        again = Problem(first.what, first.path, first.line, fix="the same command again: it looks for the job first.")
        return ProviderError(again, status=error.status, code=error.code, retry_after=error.retry_after)
    known = failure(first.what, error.code, error.status)
    if known is None:
        return error
    later = f" It asks for {error.retry_after:.0f} seconds of quiet." if error.retry_after else ""
    why = f"{known.means}{later} No job was launched."
    told = Problem(first.what, first.path, first.line, why=why, fix=_dot(known.do))
    return ProviderError(told, status=error.status, code=error.code, retry_after=error.retry_after)


def _dot(text: str) -> str:
    return f"{text}." if text else "the same command again."


def _said(job_id: str, status: str, error: str | None) -> str:
    if status.startswith("cancel") and not error:
        return f"{job_id} was cancelled"
    return f"{job_id} {status}: {error or 'the provider gives no reason'}"
