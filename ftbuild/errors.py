"""The exception tree and the exit codes.

Owns what stops a run. Knows nothing of files, providers or terminals: an error carries the
problems that caused it, the shell prints them.

    FtbuildError
      ConfigError       2   bad use or bad config
        CostError       2   more than --max-cost or the budget allows
      PlanError         2   a kept plan, or a lock file, says something else
      DataError         1   problems found in data
      EvaluationError   5   an evaluation could not be finished
      StoreError        5   the store cannot be read or written
      JobError          5   a job failed
      ProviderError     4   provider or network
      Interrupted     130   stopped by the user, resumable
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum

from ftbuild.problem import Problem


class ExitCode(IntEnum):
    """What a process of ftbuild returns to the shell."""

    DONE = 0
    DATA = 1
    CONFIG = 2
    GOAL = 3
    PROVIDER = 4
    FAILED = 5
    BUG = 70
    INTERRUPTED = 130


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the code of what went worst: a goal that is missed is an answer, every other code that there is none."""
    return max(codes, key=lambda code: (code is not ExitCode.DONE, code is not ExitCode.GOAL, code))


class FtbuildError(Exception):
    """Something the user can act on; `problems` says where, what, why and how to mend it."""

    exit_code = ExitCode.FAILED

    def __init__(self, *problems: Problem | str) -> None:
        self.problems: Sequence[Problem] = tuple(
            problem if isinstance(problem, Problem) else Problem(what=problem) for problem in problems
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[object, ...]:
        """Cross a process border whole: with the problems, not their text."""
        return (_again, (type(self), tuple(self.problems), self.__dict__))


def _again(kind: type[FtbuildError], problems: Sequence[Problem], attributes: dict[str, object]) -> FtbuildError:
    error = kind.__new__(kind)
    FtbuildError.__init__(error, *problems)
    error.__dict__.update(attributes)
    return error


class ConfigError(FtbuildError):
    """The command line or a config file is wrong."""

    exit_code = ExitCode.CONFIG


class CostError(ConfigError):
    """It costs more than was allowed."""


class PlanError(FtbuildError):
    """What would be built is not what was planned or locked."""

    exit_code = ExitCode.CONFIG


class DataError(FtbuildError):
    """A source or a training line is wrong."""

    exit_code = ExitCode.DATA


class EvaluationError(FtbuildError):
    """An evaluation cannot be finished or read."""


class StoreError(FtbuildError):
    """The store cannot be read or written, or holds damaged bytes."""


class JobError(FtbuildError):
    """A fine-tuning job failed or was cancelled; `job_id` names it."""

    def __init__(self, *problems: Problem | str, job_id: str | None = None) -> None:
        super().__init__(*problems)
        self.job_id = job_id


class ProviderError(FtbuildError):
    """A provider refused or could not be reached; `status` is the HTTP status, None without an answer.

    `retry_after` is how many seconds the provider wants to be left alone, None where it does not say.
    """

    exit_code = ExitCode.PROVIDER

    def __init__(
        self,
        *problems: Problem | str,
        status: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(*problems)
        self.status = status
        self.code = code
        self.retry_after = retry_after


class Interrupted(FtbuildError):  # noqa: N818 - the user's wish, no error
    """Stopped by the user; the next run goes on from here."""

    exit_code = ExitCode.INTERRUPTED
