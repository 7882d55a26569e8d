"""`ftbuild serve`: this project's own server in the foreground, with a page for people at /."""

import sys

from ftbuild.cli.build import composed_of, world_of
from ftbuild.cli.options import Options
from ftbuild.cluster.connection import LOCAL, check
from ftbuild.errors import ConfigError, ExitCode
from ftbuild.problem import Problem
from ftbuild.profiles import profiles
from ftbuild.providers import embedded
from ftbuild.settings import Model, Provider
from ftbuild.world import World

OURS = "embedded"  # the profile of our own server


def serve(options: Options) -> int:
    """Serve until Ctrl-C; where a server of this project runs already, say where.

    With an experiment its base model is made ready first, and its provider says how to serve. Does not come back from
    serving: this process is the server then, so that whatever stops it stops the server. With --ray it trains on a
    cluster.

    Raises:
        ConfigError: several points of a sweep, or an experiment whose provider is not our own server; or no cluster.
        ProviderError: the base model cannot be had.
        StoreError: the server's folder cannot be written.
    """
    if options.ray is not None:
        _check_cluster(options.ray)
    world = world_of(options)
    provider, model = _asked(options, world)
    if model is not None:
        embedded.prepare(provider, model, world)
    state = embedded.state_folder(provider, world)
    if (address := embedded.running(state, options.ray)) is not None:
        url = address.base_url.removesuffix("/v1")
        print(f"page   {url}/#token={address.api_key}", flush=True)
        by_itself = embedded.stops_when_idle(state)
        until = "and stops by itself when nobody asks it for anything." if by_itself else "until somebody stops it."
        print(f"It runs already, {until}", file=sys.stderr)
        return int(ExitCode.DONE)
    if not any((state / "bases").glob("*.json")):
        print("No model is here yet; ftbuild serve +experiment=NAME has one ready.", file=sys.stderr)
    given = {"--host": options.host, "--port": options.port}
    place = [word for name, each in given.items() if each is not None for word in (name, str(each))]
    return embedded.become(provider, world, place, options.ray)


def _check_cluster(address: str) -> None:
    check(address)
    if address == LOCAL:
        what = f"--ray {LOCAL}: a cluster of this machine alone trains no more than a server does without one"
        raise ConfigError(Problem(what, "command line", fix="--ray auto, --ray HOST:PORT, or none."))


def _asked(options: Options, world: World) -> tuple[Provider, Model | None]:
    """Return how to serve, and the base model that is to be ready; None where no experiment says which."""
    if not options.overrides:
        return profiles(world.root, world.environment)[OURS], None
    [point, *others] = composed_of(options).points
    settings = point.settings
    if others or not settings.provider.is_ours:
        what = "serve takes one experiment" if others else f"{settings.provider.title} serves itself"
        raise ConfigError(Problem(what, "command line", fix="ftbuild serve +experiment=NAME"))
    return settings.provider, settings.model
