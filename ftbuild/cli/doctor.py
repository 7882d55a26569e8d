"""`ftbuild doctor [PROVIDER ...]`: what is here and what is missing, said before a build needs it.

Of all providers, or of those alone that are named. Of a key only whether it is set. A provider is asked for its models,
for a few seconds at most, where its key is set or where it is named; nothing else is sent. The end is bad where
something that was named, or that has its key, would fail.
"""

import json
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from ftbuild import __version__, gates
from ftbuild.cli.layout import columns, hang
from ftbuild.cli.options import Options
from ftbuild.errors import ConfigError, ExitCode, ProviderError
from ftbuild.plan.gates import first_day
from ftbuild.problem import Problem, nearest
from ftbuild.profiles import profiles
from ftbuild.providers import hosted
from ftbuild.settings import Provider
from ftbuild.trees import find_root
from ftbuild.world import World

SCHEMA_VERSION = 1
NEEDED = ("openai", "hydra-core", "omegaconf", "pydantic", "filelock")
OF_EMBEDDED = ("torch", "tokenizers", "safetensors", "llguidance", "starlette", "uvicorn")
OPTIONAL = ("wandb", "duckdb", "pyarrow", "ray")
WANDB = ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL")
State = Literal["ok", "missing", "warning", "failed"]
MARKS: Mapping[State, str] = {"ok": "ok", "missing": "-", "warning": "!", "failed": "FAILED"}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; `missing` is no fault where nobody has asked for it."""

    group: str
    name: str
    state: State
    said: str
    fix: str = ""


def doctor(options: Options) -> int:
    """Print what was found; 1 if anything that is wanted would fail.

    Raises:
        ConfigError: there is no such profile.
    """
    world = World.at(find_root(options.folder))
    known = profiles(world.root, world.environment)
    for word in options.words:
        if word not in known:
            close = nearest(word, known)
            fix = f"ftbuild doctor {close}" if close else f"there are {', '.join(known)}."
            raise ConfigError(Problem(f"no option {word!r} in conf/provider", "command line", fix=fix))
    checks = [*_versions(options.words), *_providers(known, options.words, world), *_wandb(world)]
    failed = any(each.state == "failed" for each in checks)
    if options.format == "json":
        told = {"schema_version": SCHEMA_VERSION, "ok": not failed, "checks": [asdict(each) for each in checks]}
        print(json.dumps(told, ensure_ascii=False, indent=1))
    else:
        print(_text(checks, columns()))
    return int(ExitCode.DATA if failed else ExitCode.DONE)


def _versions(asked: tuple[str, ...]) -> Iterator[Check]:
    yield Check("versions", "ftbuild", "ok", __version__)
    yield Check("versions", "python", "ok", f"{platform.python_version()} at {sys.executable}")
    for name in NEEDED:
        found = _version(name)
        fix = "" if found else "pip install ftbuild"
        yield Check("versions", name, "ok" if found else "failed", found or "not installed", fix)
    for name in OF_EMBEDDED:
        found = _version(name)
        state: State = "ok" if found else "failed" if "embedded" in asked else "missing"
        fix = "" if found else "pip install 'ftbuild[embedded]' to train on this machine"
        yield Check("versions", name, state, found or "not installed", fix)
    for name in OPTIONAL:
        found = _version(name)
        yield Check("versions", name, "ok" if found else "missing", found or "not installed, and not needed")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _providers(known: Mapping[str, Provider], asked: tuple[str, ...], world: World) -> Iterator[Check]:
    for name, each in known.items():
        if each.kind != "hosted" or (name not in asked if asked else each.base_url is None):
            continue
        if each.base_url is None:
            yield Check(name, "base_url", "failed", "no address", "a file of conf/provider that says one.")
            continue
        lacking = hosted.lacking(each, world.environment)
        for variable in [*([each.api_key_env] if each.api_key_env else []), *each.variables]:
            problem = next((found for found in lacking if found.path == variable), None)
            if problem is None:
                yield Check(name, variable, "ok", "set")
            else:
                state: State = "failed" if name in asked else "missing"
                yield Check(name, variable, state, problem.what if name in asked else "not set", problem.fix)
        if not lacking:
            yield _reached(name, each, world)
        yield from _ends(name, each, gates.today(world), wanted=name in asked)


def _reached(name: str, provider: Provider, world: World) -> Check:
    from ftbuild.providers.wire import WireClient

    address = hosted.address(provider, world.environment)
    client = WireClient(address.base_url, address.api_key, provider.title, is_openai=provider.is_openai)
    try:
        n = client.count_models()
    except ProviderError as error:
        return Check(name, "reached", "failed", error.problems[0].what, "look at base_url and at the key.")
    finally:
        client.hang_up()
    return Check(name, "reached", "ok", f"{n} models at {address.base_url}")


def _ends(name: str, provider: Provider, today: date, *, wanted: bool) -> Iterator[Check]:
    if provider.ends is None:
        yield Check(name, "ends", "missing", "no end date is known here")
        return
    ends = provider.ends
    for what, day in (("new jobs", ends.new_jobs), ("models", ends.models)):
        if day is None:
            continue
        days = (first_day(day) - today).days
        state: State = "ok" if days > provider.horizon_days else "warning"
        if days < 0 and provider.ends.firm:
            state = "failed" if wanted else "warning"
        least = "" if provider.ends.firm else " at the earliest"
        when = f"in {days} days" if days >= 0 else "past"
        yield Check(name, what, state, f"until {day}{least}, {when}; {ends.source}")


def _wandb(world: World) -> Iterator[Check]:
    for name in WANDB:
        is_set = bool(world.environment.get(name))
        yield Check("wandb", name, "ok" if is_set else "missing", "set" if is_set else "not set")


def _text(checks: list[Check], width: int) -> str:
    widest, group, lines = max(len(each.name) for each in checks), "", []
    for each in checks:
        if each.group != group:
            lines.append(f"{'' if not group else chr(10)}{each.group}")
            group = each.group
        fix = f". Fix: {each.fix}" if each.fix and each.state == "failed" else ""
        lines.append(hang(f"  {MARKS[each.state]:7} {each.name:{widest}}  ", each.said + fix, width))
    return "\n".join(lines)
