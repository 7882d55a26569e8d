"""Our own options, taken out from between Hydra's overrides."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from ftbuild.cli.verbs import ALWAYS, VERBS, Verb
from ftbuild.errors import ConfigError
from ftbuild.example import SPLITS
from ftbuild.problem import Problem, nearest
from ftbuild.rules.pack import PACKS, Method

SHORT = {"-m": "--multirun", "-h": "--help", "-c": "--cfg", "-j": "--jobs", "-n": "--count"}
SWITCHES = (
    "--multirun",
    "--smoke",
    "--keep-going",
    "--locked",
    "--full",
    "--fix",
    "--adapter",
    "--yes",
    "--help",
    "--version",
)
VALUED = {
    "--format": "text",
    "--cfg": "job",
    "--jobs": "4",
    "--ray": "auto",
    "--out": "FILE",
    "--plan": "FILE",
    "--attest": "FOLDER",
    "--sort": "COLUMN",
    "--experiment": "NAME",
    "--keep-days": "30",
    "--max-cost": "5.00",
    "--method": "supervised",
    "--provider": "openai",
    "--split": "train",
    "--from": "FILE",
    "--as": "NAME",
    "--count": "3",
    "--cases": "FILE",
    "--mode": "bfcl",
    "--options": "'{words: {at_most: 40}}'",
    "--to": "FILE",
    "--model": "NAME",
    "--metadata": "KEY=VALUE",
    "--against": "FILE",
    "--limit": "1000",
    "--base-url": "URL",
    "--api-key-env": "NAME",
    "--host": "127.0.0.1",
    "--port": "8000",
    "--by": "disagreement",
    "--arms": "tuned,base",
    "--form": "csv",
}
# option -> all that it may say
CHOICES: Mapping[str, tuple[str, ...]] = {
    "--cfg": ("job",),
    "--method": get_args(Method),
    "--provider": tuple(PACKS),
    "--split": SPLITS,
    "--mode": ("bfcl",),
    "--by": ("disagreement", "uncertainty", "random"),
    "--form": ("csv", "jsonl"),
}
FIELDS = {"--from": "source", "--as": "name"}  # whose field of Options has another name
NUMBERS = ("--jobs", "--keep-days", "--count", "--limit", "--port")
AMOUNTS = ("--max-cost",)
AMOUNT = re.compile(r"\d+(\.\d+)?")
REPEATED = ("--metadata", "--against")


@dataclass(frozen=True)
class Options:
    """A parsed command line. `words` are neither options nor overrides: names, for verbs that take them.

    `jobs` is how many actions are computed at once, None as many as there are cores; `ray` is the cluster that computes
    them, None this machine; `retried` is a job that is to be
    launched once more, which no option says but the verb.
    """

    verb: str
    words: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    multirun: bool = False
    smoke: bool = False
    help: bool = False
    version: bool = False
    cfg: bool = False
    keep_going: bool = False
    locked: bool = False
    full: bool = False
    fix: bool = False
    adapter: bool = False
    yes: bool = False
    jobs: int | None = None
    ray: str | None = None
    retried: str | None = None
    keep_days: int | None = None
    max_cost: float | None = None
    format: str = "text"
    out: str | None = None
    plan: str | None = None
    attest: str | None = None
    sort: str | None = None
    experiment: str | None = None
    method: str | None = None
    provider: str | None = None
    split: str | None = None
    source: str | None = None
    name: str | None = None
    count: int | None = None
    cases: str | None = None
    mode: str | None = None
    options: str | None = None
    to: str | None = None
    model: str | None = None
    metadata: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    limit: int | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    host: str | None = None
    port: int | None = None
    by: str | None = None
    arms: str | None = None
    form: str | None = None
    folder: Path = Path()

    @property
    def command(self) -> tuple[str, ...]:
        """Return the words after `ftbuild` that ask for the same build."""
        return (*self.overrides, *(("--smoke",) if self.smoke else ()))


def parse(verb: str, arguments: Sequence[str]) -> Options:
    """Return the options; what starts with a dash is ours, the rest belongs to Hydra or to the verb.

    Raises:
        ConfigError: an option that does not exist or that the verb does not take, or one without its value.
    """
    known = VERBS[verb]
    found: dict[str, str] = {}
    repeated: dict[str, list[str]] = {name: [] for name in REPEATED}
    rest: list[str] = []
    queue = list(arguments)
    while queue:
        word = queue.pop(0)
        typed, _, value = word.partition("=")
        name = SHORT.get(typed, typed)
        if not word.startswith("-"):
            rest.append(word)
        elif name in VALUED:
            given = _checked(known, verb, typed, name, value or (queue.pop(0) if queue else ""))
            if name in REPEATED:
                repeated[name].append(given)
            else:
                found[name] = given
        elif name in SWITCHES and not value:
            found[name] = "yes"
            if name not in (*known.options, *ALWAYS):
                raise _not_taken(verb, typed, known)
        else:
            raise _unknown(word, known)
    is_name = [("=" not in word and not word.startswith(("~", "+"))) for word in rest]
    return Options(
        verb=verb,
        words=tuple(word for word, name in zip(rest, is_name, strict=True) if name),
        overrides=tuple(word for word, name in zip(rest, is_name, strict=True) if not name),
        folder=Path.cwd(),
        metadata=tuple(repeated["--metadata"]),
        against=tuple(repeated["--against"]),
        **_fields(found),  # type: ignore[arg-type]
    )


def _fields(found: Mapping[str, str]) -> dict[str, object]:
    """Return the options as fields of Options."""
    fields: dict[str, object] = {}
    for name, value in found.items():
        switched = name in SWITCHES or name == "--cfg"
        field = FIELDS.get(name, name[2:].replace("-", "_"))
        number = int if name in NUMBERS else float if name in AMOUNTS else str
        fields[field] = True if switched else number(value)
    return fields


def _checked(known: Verb, verb: str, typed: str, name: str, value: str) -> str:
    if name == "--format" and value in known.formats:
        return value
    if name not in known.options and name != "--format":
        raise _not_taken(verb, typed, known)
    if name == "--format":
        formats = list(dict.fromkeys(each for other in VERBS.values() for each in other.formats))
        takers = [each for each, other in VERBS.items() if value in other.formats]
        if value in formats and takers:
            what, fix = f"{verb} has no --format {value}", f"ftbuild {takers[0]} ... --format {value}"
        else:
            what, fix = f"--format takes {' or '.join(known.formats)}, not {value!r}", f"--format {known.formats[-1]}"
        raise ConfigError(Problem(what, "command line", fix=fix))
    if name in CHOICES and value not in CHOICES[name]:
        choices = CHOICES[name]
        fix = f"{typed} {nearest(value, choices) or choices[0]}"
        raise ConfigError(Problem(f"{typed} takes {', '.join(choices)}, not {value!r}", "command line", fix=fix))
    if not value or (name in NUMBERS and not (value.isascii() and value.isdigit() and int(value) > 0)):
        wanted = "a number above 0" if name in NUMBERS else "a value"
        said = f", not {value!r}" if value else ""
        raise ConfigError(Problem(f"{typed} takes {wanted}{said}", "command line", fix=f"{typed} {VALUED[name]}"))
    if name in AMOUNTS and not AMOUNT.fullmatch(value):
        what = f"{typed} takes an amount in US dollars, not {value!r}"
        raise ConfigError(Problem(what, "command line", fix=f"{typed} {VALUED[name]}"))
    return value


def _not_taken(verb: str, typed: str, known: Verb) -> ConfigError:
    name = SHORT.get(typed, typed)
    takers = [each for each, other in VERBS.items() if name in other.options]
    has = f"it has {', '.join((*known.options, *ALWAYS))}."
    return ConfigError(
        Problem(f"{verb} takes no {typed}", "command line", why=has, fix=f"ftbuild {takers[0]} ... {typed}")
    )


def _unknown(word: str, known: Verb) -> ConfigError:
    """Return the error; only the name is repeated, since a value may be a secret."""
    name = word.partition("=")[0]
    close = nearest(name, [*SHORT, *SWITCHES, *VALUED])
    there = f"there are {', '.join((*known.options, *ALWAYS))}."
    fix = f"the nearest is {close}; ftbuild --help lists them." if close else there
    return ConfigError(Problem(f"no option {name!r}", "command line", fix=fix))
