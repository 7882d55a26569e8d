"""Where a hosted provider answers, and with which key: read from the environment when it is needed, written nowhere."""

from collections.abc import Mapping
from dataclasses import dataclass

from ftbuild.errors import ConfigError
from ftbuild.problem import Problem
from ftbuild.settings import Provider

NO_KEY = "none"  # the SDK sends something; a server without keys does not look


@dataclass(frozen=True)
class Address:
    """Where a server answers, and the key that opens it."""

    base_url: str
    api_key: str


def address(provider: Provider, environment: Mapping[str, str]) -> Address:
    """Return where to send requests.

    Raises:
        ConfigError: a variable that the profile names is not set, or holds no key.
    """
    if problems := lacking(provider, environment):
        raise ConfigError(*problems)
    named = provider.api_key_env
    return Address(str(provider.base_url), key(named, environment) if named else NO_KEY)


def lacking(provider: Provider, environment: Mapping[str, str]) -> list[Problem]:
    """Return what the environment lacks of what the profile names, a problem a variable; nothing for our own server."""
    if provider.is_ours:
        return []
    problems: list[Problem] = []
    if provider.api_key_env is not None:
        try:
            key(provider.api_key_env, environment)
        except ConfigError as error:
            problems += error.problems
    for name in provider.variables:
        if not environment.get(name, "").strip():
            fix = f"export {name}=..."
            problems.append(Problem(f"is not set, and the address of {provider.title} needs it", name, fix=fix))
    return problems


def key(variable: str, environment: Mapping[str, str], otherwise: str = "provider.api_key_env=NAME") -> str:
    """Return the key that a variable holds; `otherwise` says how to name another one.

    Raises:
        ConfigError: it holds none; what it holds is never repeated.
    """
    found = environment.get(variable, "").strip()
    if not found:
        fix = f"export {variable}=..., or name another variable: {otherwise}"
        raise ConfigError(Problem("holds no key", variable, fix=fix))
    if not (found.isascii() and found.isprintable()):
        raise ConfigError(Problem("holds characters that no key has", variable, fix="copy the key anew."))
    return found
