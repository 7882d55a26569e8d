"""Where jobs are trained, one at a time in each seat: this machine's processor, or one of its graphics cards.

A trainer sees its own card alone. The cards are asked of torch in a process of its own, since the server loads no
torch to wait for jobs; CUDA_VISIBLE_DEVICES says which of them are ours, as everywhere.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CARDS = "CUDA_VISIBLE_DEVICES"
DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # where there is none, torch is not asked for cards
ASK_TORCH = "import torch; print(torch.cuda.device_count())"


@dataclass(frozen=True)
class Seat:
    """Where one job at a time is trained: what the trainer is told, and what its environment says besides ours."""

    options: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Seating:
    """The seats of a server, asked for with its first job."""

    seats: Callable[[], Sequence[Seat]]


def here(cards: Sequence[str] | None) -> Seating:
    """Return a seat for each card of this machine, those that torch sees if it is None; one if there are none."""

    def seats() -> list[Seat]:
        named = seen(os.environ) if cards is None else cards
        return [Seat(environment={CARDS: card}) for card in named] or [Seat()]

    return Seating(seats)


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
