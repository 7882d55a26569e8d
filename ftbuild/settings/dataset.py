"""How sources become a dataset."""

import math
import re
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from ftbuild.settings.node import Node, without_nulls
from ftbuild.settings.source import Source
from ftbuild.times import seconds

ID = re.compile(r"[0-9a-f]{16}")


class Shares(Node):
    """Share of the groups that go to validation and to test; the rest trains. `seed` draws them.

    A share for `confirm` is taken from what trains, and kept from every build of one point: on it the winner of a sweep
    is asked once, when the sweep has ended.

    `by: time` splits what has a time (the source's `time`) by dates instead: a group goes where its latest time
    falls, from `validation_from` on to validation, from `test_from` on to test, from `confirm_from` on to confirm.
    Dates are ISO 8601, in UTC where they name no zone. What has no time is still drawn by group.
    """

    sparse: ClassVar[bool] = True
    validation: float = Field(ge=0, lt=1)
    test: float = Field(ge=0, lt=1)
    confirm: float = Field(default=0.0, ge=0, lt=1)
    seed: int
    by: Literal["group", "time"] = "group"
    validation_from: str | None = None
    test_from: str | None = None
    confirm_from: str | None = None

    @model_validator(mode="after")
    def _dates_fit(self) -> "Shares":
        names = ("validation_from", "test_from", "confirm_from")
        given = {name: getattr(self, name) for name in names if getattr(self, name)}
        if self.by == "group" and given:
            raise ValueError(f"{' and '.join(given)} is for by: time")
        if self.by == "time" and "test_from" not in given:
            raise ValueError("by: time needs test_from, the date where the test split begins")
        for name, value in given.items():
            if seconds(value) is None:
                raise ValueError(f"{name}: {value!r} is no date of ISO 8601")
        dated = [name for name in names if name in given]
        for name, later in pairwise(dated):
            if (seconds(given[name]) or 0.0) > (seconds(given[later]) or 0.0):
                raise ValueError(f"{name} comes after {later}")
        return self

    def keyed(self) -> dict[str, Any]:
        """Return the fields that change results; what is as it always was enters no key."""
        usual = (("by", "group"), ("confirm", 0.0))
        return {name: value for name, value in super().keyed().items() if (name, value) not in usual}

    @property
    def test_seconds(self) -> float:
        """Return when the test split begins, in seconds since 1970."""
        return seconds(str(self.test_from)) or 0.0

    @property
    def confirm_seconds(self) -> float:
        """Return when the confirm split begins, never where no date is set."""
        return math.inf if self.confirm_from is None else seconds(self.confirm_from) or 0.0

    @property
    def validation_seconds(self) -> float:
        """Return when the validation split begins; with the test split where no date is set."""
        return seconds(str(self.validation_from or self.test_from)) or 0.0


class Redact(Node):
    """Which rules take values out of every text: `[email]` stands for an address.

    A rule, one of ftbuild/dataset/redact.py, finds a form. `credit_card` wants the Luhn sum, `iban` its check
    digits, `api_key` the form of a vendor's key; `phone` finds numbers with + or a leading 0, and those of North
    America. Names and streets have no form.
    """

    private_key: bool = False
    jwt: bool = False
    api_key: bool = False
    url_password: bool = False
    email: bool = False
    iban: bool = False
    credit_card: bool = False
    ipv6: bool = False
    ipv4: bool = False
    phone: bool = False


class Dataset(Node):
    """Sources by name, and the split. `limit` keeps that many examples of all, null keeps all.

    `deduplicate` says which examples are one: `exact` those that say the same, `near` also those that differ
    in case, width, spaces or punctuation alone; so may a question and one that it is tested on, which is a leak.
    `redact` takes personal values and secrets out, rule by rule. `parallel_calls` leaves several calls at once as they
    are (`keep`), or makes one follow the other (`one_by_one`), as it does unasked where a provider takes no parallel
    calls. `without` leaves examples out of what is learnt from, by the id that `ftbuild blame` tells, each with its
    place, for people.
    """

    sources: Annotated[dict[str, Source], BeforeValidator(without_nulls)]
    split: Shares
    limit: int | None = Field(default=None, ge=4)
    deduplicate: Literal["exact", "near"] = "exact"
    parallel_calls: Literal["keep", "one_by_one"] = "keep"
    redact: Redact = Redact()
    without: Annotated[dict[str, str], BeforeValidator(without_nulls)] = {}

    @model_validator(mode="after")
    def _leaves_examples_out(self) -> "Dataset":
        if wrong := [name for name in self.without if not ID.fullmatch(name)]:
            raise ValueError(f"without.{wrong[0]}: an example's id has 16 of the digits 0-9 and a-f")
        return self

    @property
    def has_confirm(self) -> bool:
        """Return whether examples are kept for the winner of a sweep."""
        pinned = any(each.only == "confirm" for each in self.sources.values())
        return bool(self.split.confirm or self.split.confirm_from or pinned)

    @property
    def of_examples(self) -> dict[str, Source]:
        """Return the sources that hold examples, by name: all but documents."""
        return {name: each for name, each in self.sources.items() if each.kind != "documents"}

    @property
    def tests_only(self) -> bool:
        """Return whether there is nothing to learn from, and none is meant: every source is for tests."""
        return bool(self.of_examples) and all(each.only == "test" for each in self.of_examples.values())
