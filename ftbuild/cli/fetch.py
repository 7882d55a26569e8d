"""`ftbuild fetch stored_completions --to FILE`: download what a provider stored, for a source to read.

The one verb that goes to the network for data: a build reads files. The key is read from the environment variable that
is named, and is written nowhere.
"""

import json
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ftbuild.cli.console import CLEAR, LIVE_EVERY_SECONDS, PLAIN_EVERY_SECONDS
from ftbuild.cli.options import Options
from ftbuild.errors import ConfigError, DataError, ExitCode, ProviderError
from ftbuild.problem import Problem
from ftbuild.providers import hosted, stored_completions
from ftbuild.providers.stored_completions import Fetched
from ftbuild.trees import find_root
from ftbuild.world import World

SCHEMA_VERSION = 1
WHAT = "stored_completions"
BASE_URL = "https://api.openai.com/v1"
API_KEY_ENV = "OPENAI_API_KEY"
VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


def fetch(options: Options) -> int:
    """Fetch, and say what is new and what to do next.

    Raises:
        ConfigError: an option or the key is missing or wrong.
        DataError: nothing is stored that was asked for, or the file holds something else.
        ProviderError: no answer, or a refusal; what came before it is kept.
        StoreError: the file cannot be written.
    """
    from ftbuild.providers.wire import WireClient

    world = World.at(find_root(options.folder))
    path = _path(options)
    base_url = _address(options.base_url or BASE_URL)
    variable = options.api_key_env or API_KEY_ENV
    asked: dict[str, Any] = {"model": options.model} if options.model else {}
    if options.metadata:
        asked["metadata"] = _metadata(options.metadata)
    host = urlsplit(base_url)
    is_openai = str(host.hostname).endswith("api.openai.com")  # eu.api.openai.com too
    client = WireClient(base_url, _key(variable, world.environment), host.netloc, is_openai=is_openai)
    is_new = not path.exists()
    progress = Progress(world)
    try:
        found = stored_completions.fetch(
            client, asked, {"base_url": base_url, **asked}, path, options.limit, progress.tell
        )
    except ProviderError as error:
        raise _with_advice(error, variable, progress.n) from error
    finally:
        progress.close()
        client.hang_up()
    if not found.n_total:
        raise _nothing(asked)
    _print(options, found, is_new)
    return int(ExitCode.DONE)


def _print(options: Options, found: Fetched, is_new: bool) -> None:
    shown = str(options.to)
    stem = re.sub(r"[^a-z0-9_]+", "_", Path(shown).stem.lower()).strip("_") or "stored"
    then = f"ftbuild init {stem} --from {shlex.quote(shown)}" if is_new else None
    if options.format == "json":
        told = {
            "schema_version": SCHEMA_VERSION,
            "path": shown,
            "n_new": found.n_new,
            "n_total": found.n_total,
            "n_gone": found.n_gone,
            "next": then,
        }
        print(json.dumps(told, ensure_ascii=False, indent=1))
        return
    gone = f"; deleted there meanwhile: {found.n_gone:,}" if found.n_gone else ""
    kept = f", {found.n_kept:,} of them kept from a run before" if found.n_kept else ""
    print(f"{shown}: {found.n_total:,} stored completions, {found.n_new:,} of them new{kept}{gone}")
    if then:
        print(f"Learn from it: {then}")


class Progress:
    """Says how many are fetched: in place on a terminal, in plain lines now and then where there is none.

    `n` is the number told last.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._live = sys.stderr.isatty()
        self._every_seconds = LIVE_EVERY_SECONDS if self._live else PLAIN_EVERY_SECONDS
        self._said = world.now()
        self.n = 0

    def tell(self, n: int) -> None:
        """Say it when it is time."""
        self.n = n
        if self._world.now() - self._said >= self._every_seconds:
            self._said = self._world.now()
            text = f"fetched  {n:,} stored completions"
            print(f"{CLEAR}{text}" if self._live else text, end="" if self._live else "\n", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Take the line on the terminal away."""
        if self._live:
            print(CLEAR, end="", file=sys.stderr, flush=True)


def _path(options: Options) -> Path:
    """Return the file to fetch into.

    Raises:
        ConfigError: it, or the word that says what to fetch, is missing or of another kind.
    """
    fix = f"ftbuild fetch {WHAT} --to datasets/sources/logged.jsonl"
    if options.words != (WHAT,):
        raise ConfigError(Problem(f"fetch takes {WHAT}", "command line", fix=fix))
    if options.overrides:
        raise ConfigError(Problem("fetch takes no settings", "command line", fix="say it with its options."))
    if options.to is None or not options.to.endswith(".jsonl"):
        said = f", not {options.to!r}" if options.to else ""
        raise ConfigError(Problem(f"--to takes a file that ends in .jsonl{said}", "command line", fix=fix))
    return Path(options.to)


def _address(url: str) -> str:
    """Return the address of a provider.

    Raises:
        ConfigError: it is no plain address; what it says is not repeated, since it may hold a secret.
    """
    parts = urlsplit(url)
    plain = parts.scheme in ("http", "https") and parts.hostname and not (parts.query or parts.fragment)
    if not plain or "@" in parts.netloc:
        what = "--base-url takes an address of http or https, without a password or a query"
        raise ConfigError(Problem(what, "command line", fix=f"--base-url {BASE_URL}"))
    return url.rstrip("/")


def _metadata(given: tuple[str, ...]) -> dict[str, str]:
    """Return the metadata asked for.

    Raises:
        ConfigError: one is not KEY=VALUE.
    """
    pairs = [each.partition("=") for each in given]
    for key, equals, _ in pairs:
        if not key or not equals:
            raise ConfigError(Problem("--metadata takes KEY=VALUE", "command line", fix="--metadata team=support"))
    return {key: value for key, _, value in pairs}


def _key(variable: str, environment: Mapping[str, str]) -> str:
    """Return the key.

    Raises:
        ConfigError: what was named is no variable, and may be a key; or the variable holds none.
    """
    if not VARIABLE.fullmatch(variable):
        why = "The key itself belongs on no command line."
        what = "--api-key-env takes the name of an environment variable, in capitals"
        raise ConfigError(Problem(what, "command line", why=why, fix=f"--api-key-env {API_KEY_ENV}"))
    return hosted.key(variable, environment, "--api-key-env NAME")


def _with_advice(error: ProviderError, variable: str, n_kept: int) -> ProviderError:
    """Return the error with what to do about it."""
    problem = error.problems[0]
    fix = problem.fix or "the same command goes on from here."
    if error.status in (401, 403):
        fix = f"the key came from {variable}; it needs the right to read stored completions."
    kept = f"{n_kept:,} that were fetched are kept." if n_kept else problem.why
    return ProviderError(replace(problem, fix=fix, why=kept), status=error.status, code=error.code)


def _nothing(asked: Mapping[str, Any]) -> DataError:
    metadata = " and ".join(f"{key}={value}" for key, value in asked.get("metadata", {}).items())
    filters = [f"of {asked['model']}" if "model" in asked else "", f"with {metadata}" if metadata else ""]
    what = " ".join(["no stored completion", *filter(None, filters)])
    why = "A provider stores the requests that say store=True, for a while."
    return DataError(Problem(what, "fetch", why=why, fix="ask for less, or store some."))
