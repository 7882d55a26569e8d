"""Where jobs and requests go, as data: our own server, or a hosted provider with its limits, prices and end dates.

What is not known is null, and told as "unknown". Facts about time and money change no key; what changes the request,
and with it the model that comes of it, does.
"""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ftbuild.rehearsal import makes_up
from ftbuild.settings.faults import Faults
from ftbuild.settings.node import Node
from ftbuild.settings.training import Auto, MethodName

Date = Annotated[str, Field(pattern=r"^\d{4}-\d{2}(-\d{2})?$")]
Usd = Annotated[float, Field(ge=0)]
ALL_METHODS: list[MethodName] = ["supervised", "dpo", "reinforcement"]
OF_A_JOB = ("model", "training_file", "validation_file", "method", "metadata", "integrations")
SECRET = ("api_key", "apikey", "token", "secret", "password")
FORM = 3  # of the texts that our own server makes of conversations, tools and calls: another form, other results
AT_ONCE = {"settle_seconds": 0.0, "poll_seconds": 0.05}  # in a rehearsal nothing is behind, and nothing takes time


class Limits(Node):
    """What a training file may be: how many lines, how many bytes, how many tokens a line."""

    min_examples: int | None = Field(default=None, ge=1)
    max_examples: int | None = Field(default=None, ge=1)
    file_bytes: int | None = Field(default=None, ge=1)
    example_tokens: int | None = Field(default=None, ge=1)


class SuffixRule(Node):
    """What the suffix in a model's name may be; `letters` is what may stand in the brackets of a regular expression."""

    characters: int = Field(default=40, ge=1)
    letters: str = "a-z0-9-"


class Spelling(Node):
    """What the provider calls a hyperparameter of ours; `times` turns our number into theirs.

    `absolute` says that theirs is no multiplier: without `times` no number can be said then, only auto.
    """

    name: str
    times: float | None = Field(default=None, gt=0)
    absolute: bool = False


class Tunable(Node):
    """A model that can be tuned there: with which methods, at which price (US dollars a million tokens), until when."""

    id: str
    methods: list[MethodName] | None = None
    usd_training: Usd | None = None
    usd_input: Usd | None = None
    usd_output: Usd | None = None
    ends: Date | None = None


class Prices(Node):
    """When and where the prices of the models were seen, which methods they are of, what tokens are counted in."""

    as_of: Date
    source: str
    encoding: str
    methods: list[MethodName] = ["supervised"]


class Ends(Node):
    """From when on no new jobs are taken, when the models go, who is refused already (`closed_to`), and who says so.

    Not `firm` is a date before which nothing ends: past it, it is a warning and no refusal.
    """

    new_jobs: Date | None = None
    models: Date | None = None
    source: str
    closed_to: str | None = None
    firm: bool = True


class Deployment(Node):
    """How a model is deployed before it answers: the command to run by hand, and where it is documented.

    In the command {model} stands for the model and {name} for the deployment.
    """

    command: str
    source: str


class Budget(Node):
    """What all paid work of this store may cost together, in US dollars; null is no limit."""

    usd: Usd | None = None


class Provider(Node):
    """Where jobs and requests go: `embedded` is our own server, started on demand on this machine, `hosted` any that
    speaks the same protocol at `base_url`, with the key that the environment variable `api_key_env` holds; `variables`
    are others that must be set, `is_openai` is of an account at OpenAI: what the environment says of one
    (OPENAI_ORG_ID, OPENAI_PROJECT_ID, OPENAI_CUSTOM_HEADERS) goes with the requests, and to nobody else.

    Its engine really trains (`torch`), or makes everything up at once and needs no torch (`scripted`). `rehearsed`
    sends the requests of a hosted provider to the scripted engine instead: no key, no money.
    `settle_seconds` is how long after a lost answer a job may still appear in the provider's
    list; `idle_seconds` is how long the server outlives its last request; `at_once` is how many jobs
    are watched, or sets of answers asked for, at the same time. `methods` are those it can train with, `models` those
    it can tune, null where that is not known; `rules` is the pack of rules that its files are checked with;
    `tools` and `response_format` are whether its lines and requests may hold tools, and its requests a schema;
    `parallel_tool_calls: false` is of one where a model makes one call at a time, in what it learns too, so it is
    keyed in the dataset. `statuses` maps its words to OpenAI's. `free` is one where nothing is paid,
    `bills_trained` one that charges a cancelled job for what it has trained alone: where nobody has said so, all of it
    stays reserved.
    `horizon_days` is how long before an end date it is told, `needed_days` how long from today on jobs must still be
    taken and models be there: an end before that refuses the build. `faults` are what goes wrong in a rehearsal: they
    may end a build, but change no result.
    """

    sparse: ClassVar[bool] = True
    unkeyed: ClassVar[frozenset[str]] = frozenset(
        {
            "name",
            "api_key_env",
            "variables",
            "is_openai",
            "settle_seconds",
            "idle_seconds",
            "poll_seconds",
            "threads",
            "at_once",
        }
        | {
            "methods",
            "models",
            "tools",
            "parallel_tool_calls",
            "response_format",
            "rules",
            "limits",
            "suffix",
            "statuses",
        }
        | {
            "free",
            "bills_trained",
            "prices",
            "ends",
            "horizon_days",
            "needed_days",
            "deploys",
            "deployment",
            "base_deployment",
            "faults",
        }
    )
    kind: Literal["embedded", "hosted"]
    name: str | None = None
    engine: Literal["torch", "scripted"] = "torch"
    rehearsed: bool = False
    base_url: str | None = Field(default=None, pattern=r"^https?://[^@?#]+$")
    api_key_env: str | None = Field(default=None, pattern=r"^[A-Z_][A-Z0-9_]*$")
    variables: list[str] = []
    is_openai: bool = False
    settle_seconds: float = Field(ge=0)
    idle_seconds: float = Field(default=60.0, gt=0)
    poll_seconds: float = Field(gt=0)
    threads: int | Auto = "auto"
    at_once: int = Field(default=1, ge=1)
    rules: str = "compatible"
    methods: list[MethodName] = ALL_METHODS
    models: dict[str, Tunable] | None = None
    tools: bool | None = None
    parallel_tool_calls: bool | None = None
    response_format: bool | None = None
    limits: Limits = Limits()
    suffix: SuffixRule = SuffixRule()
    hyperparameters: dict[str, Spelling] = {}
    extra_hyperparameters: dict[str, Any] = {}
    omits_auto: bool = False
    extra_body: dict[str, Any] = {}
    statuses: dict[str, str] = {}
    free: bool = False
    bills_trained: bool = False
    prices: Prices | None = None
    ends: Ends | None = None
    horizon_days: int = Field(default=90, ge=0)
    needed_days: int = Field(default=0, ge=0)
    deploys: Deployment | None = None
    deployment: str | None = None
    base_deployment: str | None = None
    faults: Faults | None = None

    @model_validator(mode="before")
    @classmethod
    def _rehearses_at_once(cls, given: Any) -> Any:
        return {**given, **AT_ONCE} if isinstance(given, dict) and given.get("rehearsed") is True else given

    @model_validator(mode="after")
    def _has_faults_in_rehearsals_only(self) -> "Provider":
        if self.faults is not None and self.engine != "scripted" and not self.rehearsed:
            raise ValueError("faults are for rehearsals: provider=rehearsal, or provider.rehearsed=true")
        return self

    @model_validator(mode="after")
    def _keeps_its_extra_body_apart(self) -> "Provider":
        """Refuse what would replace our own words: without our metadata a job is not found again, and paid twice."""
        if taken := [name for name in self.extra_body if name in OF_A_JOB]:
            raise ValueError(f"extra_body cannot say {', '.join(taken)}: that follows from the other settings")
        return self

    @model_validator(mode="after")
    def _holds_no_secret(self) -> "Provider":
        """Refuse a secret: what is asked for is written down in the store, the journals and the lock file."""
        for name in _names([self.extra_body, self.extra_hyperparameters]):
            if name.lower().replace("-", "_").endswith(SECRET):
                raise ValueError(f"{name} is a secret: it would be kept in the store, and no request may hold it")
        return self

    @property
    def is_ours(self) -> bool:
        """Return whether our own server gets the requests, so that no key is needed and nothing is paid."""
        return self.kind == "embedded" or self.rehearsed

    @property
    def makes_up(self) -> bool:
        """Return whether losses and answers are made up: a rehearsal."""
        return makes_up({"rehearsed": self.rehearsed, "engine": self.engine})

    @property
    def title(self) -> str:
        """Return what people call it."""
        return f"{self.name or self.kind}{' rehearsed' if self.makes_up else ''}"

    def keyed(self) -> dict[str, Any]:
        """Return what changes results: which provider it is, and what it is told that others are not."""
        said = {name: value for name, value in super().keyed().items() if value not in ({}, False)}
        if self.kind == "embedded" and self.engine == "torch":
            said["form"] = FORM
        if self.kind == "hosted":
            del said["engine"]
            if self.base_url is not None:
                said["base_url"] = self.base_url.rstrip("/")
        return said


def _names(value: Any) -> Iterator[str]:
    """Yield the names in a value, at any depth."""
    if isinstance(value, dict):
        yield from value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _names(each)
