"""Have runs written by a process of its own, and wait for it no longer than agreed.

Whatever goes wrong there (no server, a refused key, a hang, a crash) is told as a value; nothing is raised.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ftbuild.trackers.wandb_account import Account
from ftbuild.trackers.wandb_run import WandbRun
from ftbuild.trackers.wandb_writer import GRACE_SECONDS

START_SECONDS = 60.0  # to load the package, on a machine that has much else to do
SHORTEST_KEY = 8


@dataclass(frozen=True)
class Sent:
    """What became of a run: its page `url`, the `folder` that holds it, and why it is not where it should be."""

    url: str | None = None
    folder: Path | None = None
    error: str | None = None


def send(
    runs: Sequence[WandbRun], by: Account, outputs: Path, environment: Mapping[str, str], timeout_seconds: float
) -> list[Sent]:
    """Return what became of each run. wandb writes into `outputs`/wandb, and nowhere else.

    A server that does not answer, or refuses the key, costs its time-out once: that run and those
    after it are kept as files, which `wandb sync` sends.
    """
    sent = _written(runs, by, outputs, environment, timeout_seconds)
    if by.mode == "offline" or sent[-1].error is None:
        return sent
    first = next(number for number, each in enumerate(sent) if each.error is not None)
    first += sent[first].folder is not None  # begun, so its folder holds it
    kept = _written(runs[first:], replace(by, mode="offline"), outputs, environment, timeout_seconds)
    why = sent[-1].error
    return [*sent[:first], *(replace(each, error=why) for each in kept)]


def _written(
    runs: Sequence[WandbRun], by: Account, outputs: Path, environment: Mapping[str, str], timeout_seconds: float
) -> list[Sent]:
    """Return what became of each run; after one that went wrong, the rest has its error."""
    if not runs:
        return []
    beside = outputs / "wandb" / ".state"
    beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=beside) as name:
        folder = Path(name)
        how = {"folder": str(outputs), "mode": by.mode, "timeout_seconds": timeout_seconds}
        (folder / "how.json").write_text(json.dumps(how), encoding="utf-8")
        lines = [json.dumps(run.to_json()) + "\n" for run in runs]
        (folder / "asked.jsonl").write_text("".join(lines), encoding="utf-8")
        at_most = START_SECONDS + len(runs) * (2 * timeout_seconds + GRACE_SECONDS)
        why = _ended(folder, by.environment(outputs, environment), at_most)
        found = [_sent(each, by.api_key) for each in _told(folder / "told.jsonl")]
    why = found[-1].error or why if found else why
    return [*found, *[Sent(error=_without(by.api_key, why))] * (len(runs) - len(found))]


def _ended(folder: Path, environment: Mapping[str, str], at_most: float) -> str:
    """Run the process to its end and return why it may have told too little."""
    log = folder / "said.log"
    try:
        with log.open("wb") as said:
            code = subprocess.run(
                [sys.executable, "-m", "ftbuild.trackers.wandb_writer", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=dict(environment),
                start_new_session=True,  # Ctrl-C reaches us alone, and we end it
                timeout=at_most,
                check=False,
            ).returncode
    except subprocess.TimeoutExpired:
        return f"no end after {at_most:.0f} seconds"
    except OSError as error:
        return str(error)
    last = log.read_text(encoding="utf-8", errors="replace").strip().rsplit("\n", 1)[-1]
    return last or f"its process ended with code {code}"


def _told(path: Path) -> list[dict[str, Any]]:
    found = []
    with suppress(OSError, ValueError):  # a last line may be torn
        for line in path.read_text(encoding="utf-8").splitlines():
            found.append(json.loads(line))
    return found


def _sent(told: Mapping[str, Any], api_key: str | None) -> Sent:
    folder = Path(told["folder"]) if told["folder"] else None
    return Sent(told["url"], folder, _without(api_key, told["error"]) if told["error"] else None)


def _without(api_key: str | None, text: str) -> str:
    """Return the text without the key: a server may repeat what it refuses, we do not."""
    return text.replace(api_key, "[key]") if api_key and len(api_key) >= SHORTEST_KEY else text
