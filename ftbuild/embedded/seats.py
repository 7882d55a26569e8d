"""Where jobs are trained, one at a time in each seat: on this machine's processor, one of its graphics cards, or away.

A trainer sees its own card alone. The cards are asked of torch in a process of its own, since the server loads no
torch to wait for jobs; CUDA_VISIBLE_DEVICES says which of them are ours, as everywhere.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ftbuild.errors import ConfigError
from ftbuild.problem import Problem

CARDS = "CUDA_VISIBLE_DEVICES"
DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # where there is none, torch is not asked for cards
ASK_TORCH = "import torch; print(torch.cuda.device_count())"


@dataclass(frozen=True)
class Seat:
    """Where one job at a time is trained: what the trainer is told, and what its environment says besides ours.

    One that is `away` is on another machine, and the process that we start stands for the trainer there.
    """

    options: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    away: bool = False


@dataclass(frozen=True)
class Seating:
    """The seats of a server, asked for with its first job; `ray` is the cluster they are on, None for this machine."""

    seats: Callable[[], Sequence[Seat]]
    ray: str | None = None


def here(cards: Sequence[str] | None) -> Seating:
    """Return a seat for each card of this machine, those that torch sees if it is None; one if there are none."""

    def seats() -> list[Seat]:
        named = seen(os.environ) if cards is None else cards
        return [Seat(environment={CARDS: card}) for card in named] or [Seat()]

    return Seating(seats)


def on_cluster(address: str, n_threads: int) -> Seating:
    """Return as many seats as the cluster has room for now; a process of its own asks, since Ray may take it along.

    Raises:
        ConfigError: there is no such cluster, or nobody can train there; the reason is on stderr.
    """
    command = [sys.executable, "-m", "ftbuild.embedded", "room", "--ray", address, "--threads", str(n_threads)]
    asked = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    if asked.returncode != 0:
        raise ConfigError(Problem(f"--ray {address}: no jobs can be trained there", why="The reason is above."))
    found = json.loads(asked.stdout)
    seats = [Seat(["--ray", found["address"]], away=True)] * max(1, found["n"])
    return Seating(lambda: seats, found["address"])


def seen(environment: Mapping[str, str]) -> list[str]:
    """Return the cards that torch can use, as the environment calls them."""
    if not any(Path(each).exists() for each in DRIVERS):
        return []
    asked = subprocess.run([sys.executable, "-c", ASK_TORCH], capture_output=True, text=True, check=False)
    return named(environment, int(asked.stdout) if asked.stdout.strip().isdigit() else 0)


def named(environment: Mapping[str, str], n_cards: int) -> list[str]:
    """Return what each of so many cards is called: what the environment calls it, else its number."""
    ours = [each.strip() for each in environment.get(CARDS, "").split(",") if each.strip()]
    return (ours or [str(number) for number in range(n_cards)])[:n_cards]
