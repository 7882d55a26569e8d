"""Our own options, taken out from between Hydra's overrides."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ftbuild.errors import ConfigError
from ftbuild.problem import Problem, nearest

SWITCHES = {"-m": "multirun", "--multirun": "multirun", "--smoke": "smoke", "-h": "help", "--help": "help"}
SWITCHES |= {"--version": "version"}
FORMATS = ("text", "json")


@dataclass(frozen=True)
class Options:
    """A parsed command line. `words` are neither options nor overrides: names, for verbs that take them."""

    verb: str
    words: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    multirun: bool = False
    smoke: bool = False
    help: bool = False
    version: bool = False
    cfg: bool = False
    format: str = "text"
    folder: Path = Path()

    @property
    def command(self) -> tuple[str, ...]:
        """Return the words after `ftbuild` that ask for the same build."""
        return (*self.overrides, *(("--smoke",) if self.smoke else ()))


def parse(verb: str, arguments: Sequence[str]) -> Options:
    """Return the options; what starts with a dash is ours, the rest belongs to Hydra or to the verb.

    Raises:
        ConfigError: an option that does not exist, or one without its value.
    """
    found: dict[str, bool | str] = {}
    rest: list[str] = []
    queue = list(arguments)
    while queue:
        word = queue.pop(0)
        name, _, value = word.partition("=")
        if name in ("--format", "--cfg", "-c"):
            value = value or (queue.pop(0) if queue else "")
            found |= _valued(name, value, verb)
        elif word in SWITCHES:
            found[SWITCHES[word]] = True
        elif word.startswith("-"):
            raise _unknown(word)
        else:
            rest.append(word)
    is_name = [("=" not in word and not word.startswith(("~", "+"))) for word in rest]
    return Options(
        verb=verb,
        words=tuple(word for word, name in zip(rest, is_name, strict=True) if name),
        overrides=tuple(word for word, name in zip(rest, is_name, strict=True) if not name),
        multirun=bool(found.get("multirun")),
        smoke=bool(found.get("smoke")),
        help=bool(found.get("help")),
        version=bool(found.get("version")),
        cfg=bool(found.get("cfg")),
        format=str(found.get("format", "text")),
        folder=Path.cwd(),
    )


def _valued(name: str, value: str, verb: str) -> dict[str, bool | str]:
    if name == "--format" and value in FORMATS and (verb == "plan" or value == "text"):
        return {"format": value}
    if name != "--format" and value == "job":
        return {"cfg": True}
    if name != "--format":
        what, fix = f"{name} takes job, not {value!r}", f"{name} job"
    elif value in FORMATS:
        what, fix = f"only plan has --format {value}", f"ftbuild plan ... --format {value}"
    else:
        what, fix = f"--format takes {' or '.join(FORMATS)}, not {value!r}", f"--format {FORMATS[-1]}"
    raise ConfigError(Problem(what, "command line", fix=fix))


def _unknown(word: str) -> ConfigError:
    """Return the error; only the name is repeated, since a value may be a secret."""
    name = word.partition("=")[0]
    known = [*SWITCHES, "--format", "--cfg"]
    close = nearest(name, known)
    fix = f"the nearest is {close}; ftbuild --help lists them." if close else f"there are {', '.join(known)}."
    return ConfigError(Problem(f"no option {name!r}", "command line", fix=fix))
