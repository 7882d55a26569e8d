"""A search space: which points a sweep has. It is spread before anything else is read, and no point knows of it."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, model_validator

from ftbuild.settings.node import Node, without_nulls


def joined(value: Any, above: str = "") -> Any:
    """Return a map with one key for each way down to a value: {a: {b: [1]}} says what {a.b: [1]} says."""
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for name, each in value.items():
        found.update(joined(each, f"{above}{name}.") if isinstance(each, dict) else {f"{above}{name}": each})
    return found


def _listed(value: Any) -> Any:
    """Return values that are a list, or text in Hydra's grammar.

    Raises:
        ValueError: they are neither, or none.
    """
    if not isinstance(value, list | str):
        raise ValueError(f"{value!r} is no list of values: write [{value}]")
    if value == []:
        raise ValueError("an empty list, so there would be no point at all")
    return value


Values = Annotated[str | list[Any], BeforeValidator(_listed)]
Axes = Annotated[dict[str, Values], BeforeValidator(without_nulls), BeforeValidator(joined)]
Setting = dict[str, Any]


class Draw(Node):
    """What values are drawn from: evenly from `low` to `high`, by their logarithm with `log`, whole with `int`; or one
    of `choices`, for which a list is short.
    """

    low: float | None = None
    high: float | None = None
    log: bool = False
    whole: bool = Field(default=False, alias="int")
    choices: Values | None = None

    @model_validator(mode="before")
    @classmethod
    def _written_out(cls, value: Any) -> Any:
        return {"choices": value} if isinstance(value, list | str) else value

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "Draw":
        low, high = self.low, self.high
        if self.choices is not None:
            if {low, high, self.log, self.whole} != {None, False}:
                raise ValueError("choices, or low and high: one of both")
            return self
        if low is None or high is None:
            raise ValueError("a list of choices, or low and high")
        if not low < high:
            raise ValueError(f"from {low:g} to {high:g} there is nothing")
        if self.log and low <= 0:
            raise ValueError(f"low: {low:g} has no logarithm")
        if self.whole and not (low.is_integer() and high.is_integer()):
            raise ValueError("low and high are whole numbers where int is true")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Return the schema of both forms, for editors."""
        return {"anyOf": [handler(schema), {"type": ["array", "string"]}]}


class Random(Node):
    """So many points, `n`, each with a value drawn for every key of `from`; the same `seed` draws the same anywhere.

    The draws of a key stay as they are when `n` grows or other keys are added.
    """

    n: int = Field(ge=1)
    seed: int = 1
    drawn: Annotated[dict[str, Draw], BeforeValidator(without_nulls)] = Field(alias="from", min_length=1)


class Halving(Node):
    """Every point begins with the first value of the one key of `rungs`, and the share `keep` of them, the best on the
    validation split but at least one, goes on to the next; those with the last value are built in full.

    Values rise; the last of them may be null, for all there is. With `checkpoints` for a key the values are epochs:
    every point has one job, launched for its full length, which stands still after each of these while its checkpoint
    is asked, and is cancelled where the point does not go on.
    """

    rungs: Axes = Field(min_length=1, max_length=1)
    keep: float = Field(gt=0, lt=1)


class Search(Node):
    """Points that Optuna draws, `n_trials` of them, each from what those before it were worth on the validation split;
    the best, `finalists` of them, are built in full.

    A key of `when` is drawn only where every other key it names has one of the values there. `at_once` trials are
    drawn and trained together, so that none of them knows of the others.
    """

    n_trials: int = Field(ge=1)
    sampler: Literal["tpe", "random"] = "tpe"
    seed: int = Field(default=1, ge=0)
    at_once: int = Field(default=1, ge=1)
    finalists: int = Field(default=1, ge=1)
    drawn: Annotated[dict[str, Draw], BeforeValidator(without_nulls)] = Field(alias="from", min_length=1)
    when: dict[str, dict[str, list[Any]]] = {}


class Sweep(Node):
    """The points of a sweep. Keys are those of the command line, of values and of groups alike.

    `grid` is every combination. The lists of a group of `zip` have one length and are walked together. `random` draws
    points. The three are multiplied with one another. `list` has whole points beside them. Of all these, `exclude`
    leaves out the ones that have all its values. With `halving` most of them are given up early. A
    `search` stands alone.
    """

    sparse: ClassVar[bool] = True
    grid: Axes = {}
    zip: Annotated[dict[str, Axes], BeforeValidator(without_nulls)] = {}
    random: Random | None = None
    points: list[Setting] = Field(default=[], alias="list")
    exclude: list[Setting] = []
    halving: Halving | None = None
    search: Search | None = None
