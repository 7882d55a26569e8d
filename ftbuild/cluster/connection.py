"""The connection of a process to a cluster of Ray; the one import of that package.

Source: docs.ray.io, `ray.init` of Ray 2.60 (2026-10); RFC 9113, 3.4, for who says what first.
"""

import logging
import os
import re
import secrets
import socket
from importlib.util import find_spec
from typing import Any

from ftbuild.errors import ConfigError
from ftbuild.problem import Problem

LOCAL, AUTO = "local", "auto"
ADDRESS = re.compile(r"[\w.-]+:\d+")
ANSWER_SECONDS = 5.0
PREFACE, SETTINGS = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))  # what a client says first
# It reports to nobody, hides no graphics card from a task, and asks who does not answer twice, not 20 times.
USUAL = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_NUM_REDIS_GET_RETRIES": "2",
}
# The first is how Ray is told that no other machine will ever belong to a cluster, whatever its name says.
ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token"}


def check(address: str) -> None:
    """Say nothing where Ray is installed and `address` may be that of a cluster.

    Raises:
        ConfigError: one of both is not so.
    """
    if find_spec("ray") is None:
        what = "--ray needs Ray, which is not installed"
        raise ConfigError(Problem(what, "command line", fix="pip install 'ftbuild[ray]'"))
    if address not in (LOCAL, AUTO) and not ADDRESS.fullmatch(address):
        what = f"--ray takes {LOCAL}, {AUTO} or HOST:PORT, not {address!r}"
        fix = f"--ray {AUTO}, on a machine that is a node of the cluster."
        raise ConfigError(Problem(what, "command line", fix=fix))


def connect(address: str) -> str:
    """Connect this process, on a machine that is a node of the cluster, unless it is; return the address in full.

    Raises:
        ConfigError: nobody answers there, or it is a cluster of another Ray or Python.
    """
    if not package().is_initialized():
        if address == AUTO:
            address = os.environ.get("RAY_ADDRESS", AUTO)
        if address != AUTO:
            _reach(address)
        _begin(address)
    return _own_address()


def start(n: int, folder: str) -> str:
    """Start a cluster of `n` processors that ends with this process, and return its address.

    It listens on the loopback address alone, and to nobody without a token that it shares with this process. What it
    writes goes below `folder`.
    """
    os.environ |= {**ALONE, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    _begin(LOCAL, num_cpus=n, include_dashboard=False, _temp_dir=folder)
    return _own_address()


def environment() -> dict[str, str]:
    """Return what another process of this machine must have in its environment to connect as this one is."""
    return {name: value for name, value in os.environ.items() if name.startswith("RAY_")}


def n_processors() -> int:
    """Return how many processors the cluster has."""
    return max(1, int(package().cluster_resources().get("CPU", 1)))


def package() -> Any:
    """Return the package, with what it takes from the environment when it is imported."""
    for name, value in USUAL.items():
        os.environ.setdefault(name, value)
    import ray

    return ray


def _begin(address: str, **said: Any) -> None:
    try:
        package().init(address, log_to_driver=False, logging_level=logging.CRITICAL, **said)
        package()._private.worker._worker_logs_enabled = False  # it would tell of deaths among our data, on stdout
    except Exception as error:  # of many kinds, the plain one among them
        raise _unusable(address, str(error)) from error


def _reach(address: str) -> None:
    """Refuse in seconds what Ray would ask for minutes: an address where nobody says a word of HTTP/2, as gRPC does."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), ANSWER_SECONDS) as server:
            server.sendall(PREFACE + SETTINGS)
            answer = server.recv(len(SETTINGS), socket.MSG_WAITALL)
    except (OSError, ValueError) as error:
        raise _unusable(address, getattr(error, "strerror", None) or str(error)) from error
    if answer[3:4] != SETTINGS[3:4]:
        raise _unusable(address, "what answers there is not Ray")


def _own_address() -> str:
    return str(package().get_runtime_context().gcs_address)


def _unusable(address: str, said: str) -> ConfigError:
    what = f"--ray {address}: no cluster that can be used: {' '.join(said.split())}"
    fix = f"ray start --head on one machine, ray start --address=HOST:PORT on others; or --ray {LOCAL}."
    return ConfigError(Problem(what, "command line", fix=fix))
