"""The command line of the embedded server: prepare a base model, serve, train one job, export a model.

Data goes to stdout, talk to stderr; exit codes as everywhere in ftbuild.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ftbuild.errors import ExitCode, FtbuildError
from ftbuild.problem import Problem, render


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m ftbuild.embedded", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    preparing = commands.add_parser("prepare", help="have a base model in the cache and register it")
    preparing.add_argument("--model", type=json.loads, required=True, help="settings.Model as JSON")
    serving = commands.add_parser("serve", help="serve until idle")
    serving.add_argument("--idle-seconds", type=float, default=600.0)
    serving.add_argument("--host", default="127.0.0.1")
    serving.add_argument("--port", type=int, default=0)
    serving.add_argument("--tell", action="store_true", help="print where it is, with its token")
    serving.add_argument("--cards", help="the graphics cards that train, A,B; if none are named, those that torch sees")
    rooming = commands.add_parser("room", help="say how many jobs a cluster of Ray can train at once")
    training = commands.add_parser("train", help="train one job; started by the server")
    training.add_argument("--job", required=True)
    exporting = commands.add_parser("export", help="write a fine-tuned model for others to load")
    exporting.add_argument("--model", required=True)
    exporting.add_argument("--into", type=Path, required=True)
    exporting.add_argument("--adapter", action="store_true", help="the adapter alone")
    for command in (preparing, serving):
        command.add_argument("--engine", choices=("torch", "scripted"), default="torch")
    for command in (serving, training, rooming):
        command.add_argument(
            "--ray", required=command is rooming, help="the cluster of Ray that trains: auto, HOST:PORT"
        )
        command.add_argument("--threads", type=_threads, default="auto")
    for command in (preparing, serving, training, exporting):
        command.add_argument("--state", type=Path, required=True)
    given = parser.parse_args(arguments)
    # Before torch is loaded: idle threads that spin make two processes on two cores three times as slow.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Every length of a batch makes kernels of its own; all of them kept are 1.5 GB after 160 steps.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    try:
        if given.command == "prepare":
            _prepare(given)
        elif given.command == "serve":
            _serve(given)
        elif given.command == "export":
            from ftbuild.embedded.export import export
            from ftbuild.embedded.state import State

            export(State(given.state), given.model, given.into, adapter=given.adapter)
        elif given.command == "room":
            _say_room(given)
        else:
            _train(given)
    except FtbuildError as error:
        print(render(error.problems), file=sys.stderr)
        return int(error.exit_code)
    except ModuleNotFoundError as error:
        fix = "pip install 'ftbuild[embedded]' (the README says how)."
        print(render([Problem(f"the embedded server needs {error.name}", fix=fix)]), file=sys.stderr)
        return int(ExitCode.PROVIDER)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    return 0


def _prepare(given: argparse.Namespace) -> None:
    from ftbuild.cache import cache_folder
    from ftbuild.embedded.state import State
    from ftbuild.embedded.weights import prepare, stand_in

    state = State(given.state)
    if given.engine == "scripted":
        base = stand_in(given.model, state.folder)
    else:
        base = prepare(given.model, cache_folder(os.environ), lambda line: print(line, file=sys.stderr, flush=True))
    state.register(base)
    print(json.dumps({"model": base.model, "folder": str(base.folder), "digest": base.digest}))


def _serve(given: argparse.Namespace) -> None:
    from ftbuild.embedded.seats import here, on_cluster
    from ftbuild.embedded.server import Place, serve
    from ftbuild.store.durable import refused

    place = Place(given.host, given.port, given.tell)
    cards = given.cards.split(",") if given.cards else None
    seating = on_cluster(given.ray, given.threads) if given.ray else here(cards)
    try:
        serve(given.state, given.engine, given.idle_seconds, given.threads, place, seating)
    except OSError as error:
        raise refused(given.state, error) from error


def _say_room(given: argparse.Namespace) -> None:
    from ftbuild.cluster.connection import check, connect
    from ftbuild.cluster.lodging import room

    check(given.ray)
    address = connect(given.ray)
    n, _ = room(given.threads)
    print(json.dumps({"address": address, "n": n}))


def _train(given: argparse.Namespace) -> None:
    from ftbuild.embedded.state import State

    state = State(given.state)
    if given.ray:
        from ftbuild.embedded import away

        away.run(state, given.job, given.threads, given.ray)
    else:
        from ftbuild.embedded import trainer

        trainer.run(state, given.job, given.threads)


def _threads(text: str) -> int:
    """Return how many threads compute: the cores this process may use, hyper-threads of one core counted once."""
    return int(text) if text != "auto" else physical_cores()


def physical_cores() -> int:
    """Return the physical cores this process may run on (all of them where the system does not say)."""
    if not hasattr(os, "sched_getaffinity"):
        return max(1, (os.cpu_count() or 2) // 2)
    usable = os.sched_getaffinity(0)
    cores = set()
    for cpu in usable:
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        cores.add(siblings.read_text(encoding="ascii") if siblings.is_file() else str(cpu))
    return max(1, len(cores))


if __name__ == "__main__":
    sys.exit(main())
