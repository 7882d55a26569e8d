"""What goes wrong in a rehearsal: every fault by its name, and when it strikes.

Owns names and parameters; what a fault does is known to ftbuild/embedded/faults.py.
"""

from typing import Any, ClassVar, Literal

from pydantic import Field, GetJsonSchemaHandler, model_validator

from ftbuild.settings.node import Node

Requests = Literal["create", "upload", "list", "look", "events", "complete", "read", "any"]


class Fault(Node):
    """The parameters of a fault; a bare number is short for the `first` of them, true for none."""

    first: ClassVar[str]

    @model_validator(mode="before")
    @classmethod
    def _written_out(cls, value: Any) -> Any:
        if value is True:
            return {}
        return {cls.first: value} if isinstance(value, int | float) and value is not False else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Return the schema of both forms, for editors."""
        return {"anyOf": [handler(schema), {"type": "number"}, {"const": True}]}


class Strike(Fault):
    """When a fault strikes, of the requests or jobs that it concerns.

    `times` is how often at most (no end without it); `after` is how many are spared first; `every: 3` takes each third
    of the others.
    """

    first: ClassVar[str] = "times"
    times: int | None = Field(default=None, ge=1)
    after: int = Field(default=0, ge=0)
    every: int = Field(default=1, ge=1)


class Broken(Strike):
    """Which `request` gets no answer, or an error (`read` is every GET)."""

    request: Requests = "create"


class Held(Strike):
    """How long a job stays where it is: for so many `looks` at it."""

    first: ClassVar[str] = "looks"
    looks: int = Field(default=3, ge=1)


class Late(Fault):
    """After how many `seconds`, at the earliest, something appears."""

    first: ClassVar[str] = "seconds"
    seconds: float = Field(default=2.0, gt=0)


class Slow(Strike):
    """Which `request` (`read` is every GET) is answered drop by drop, in so many `seconds`."""

    request: Requests = "read"
    seconds: float = Field(default=1.0, gt=0)


class Limited(Strike):
    """Which `request` (`read` is every GET) came too soon, and in how many `seconds` to come again.

    With `as_date` the answer says when, not in how many seconds.
    """

    request: Requests = "read"
    seconds: int = Field(default=1, ge=0)
    as_date: bool = False


class Faults(Node):
    """What goes wrong, each fault by its name. Counts go on over builds and restarts, as long as nothing here changes.

    Of creates, or of another request: `answer_lost` and `error_after_commit` (500) leave a job behind,
    `error_before_commit` (500) does not. Of creates alone: `permission_denied`, `training_closed` (to organisations
    that may no longer fine-tune), `quota_exceeded`, `training_file_gone`. Of reads, or of another request:
    `rate_limited` (429), `slow_body`. `list_lag` keeps new jobs out of the list: a lag beyond `settle_seconds` makes a
    lost answer cost a second job.
    Of jobs: `stuck_validating`, `paused` and `unknown_status` hold one for some looks, `slow_epochs` after each of its
    epochs, as real ones take their time; `moderation_failed` ends it when
    it has learnt all, `server_dies` kills the server in its midst. Of answers: `events_repeated`, `events_disordered`,
    `azure_statuses`, `empty_error` (in a healthy job, an error that says nothing), `bare_job` (no more than id, model,
    files, status and times), `result_truncated`, `result_base64`.
    """

    answer_lost: Broken | None = None
    error_after_commit: Broken | None = None
    error_before_commit: Broken | None = None
    permission_denied: Strike | None = None
    training_closed: Strike | None = None
    quota_exceeded: Strike | None = None
    training_file_gone: Strike | None = None
    rate_limited: Limited | None = None
    slow_body: Slow | None = None
    list_lag: Late | None = None
    stuck_validating: Held | None = None
    paused: Held | None = None
    unknown_status: Held | None = None
    slow_epochs: Held | None = None
    moderation_failed: Strike | None = None
    server_dies: Strike | None = None
    events_repeated: Strike | None = None
    events_disordered: Strike | None = None
    azure_statuses: Strike | None = None
    empty_error: Strike | None = None
    bare_job: Strike | None = None
    result_truncated: Strike | None = None
    result_base64: Strike | None = None
