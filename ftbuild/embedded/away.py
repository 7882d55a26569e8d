"""A job trained on another machine, through Ray: what this machine does meanwhile.

Stands where the trainer would: it is paused, killed and ends as that does, and the job's folder here is written as that
writes it. A machine that is lost is no end: the job goes on on another one, where its training was last written down. A
cluster where nobody can train is a pause.
"""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ftbuild.cluster.connection import connect
from ftbuild.cluster.lodging import Lodger, LostError, room
from ftbuild.embedded import mirror
from ftbuild.embedded.duty import on_duty
from ftbuild.embedded.guest import Guest
from ftbuild.embedded.jobs import death
from ftbuild.embedded.parcels import News, packed, written
from ftbuild.embedded.state import DIED, Record, State
from ftbuild.errors import ConfigError

LOOK_SECONDS = 0.25
PIECE_BYTES = 64 << 20
LOSSES_AT_MOST = 3  # one after the other, with nothing trained between them


def run(state: State, job_id: str, threads: int, address: str) -> None:
    """Have the job trained until its end or until it is to stand still."""
    with on_duty(state, job_id) as pausing:
        job = state.job(job_id)
        if job is None:
            raise ValueError(f"no job {job_id!r} in {state.folder}")
        try:
            connect(address)
            _, needs = room(threads)
            _mirrors = mirror.start(state, job)  # held: they end when we do
            _train(state, job, partial(Lodger, partial(Guest, threads), needs), pausing)
        except ConfigError as error:
            state.park_job(job_id, f"The job was paused, since nobody can train it: {error.problems[0].what}")


def _train(state: State, job: Record, lodge: Callable[[], Lodger], pausing: threading.Event) -> None:
    """Have the job trained by one machine after the other, as long as each is lost."""
    job_id, n_lost = job["id"], 0
    while True:
        step, _ = state.training(job_id)
        lodger = lodge()
        try:
            _train_by(lodger, state, job_id, pausing)
            return
        except LostError as error:
            trained, _ = state.training(job_id)
            n_lost = 1 if trained > step else n_lost + 1
            if n_lost > LOSSES_AT_MOST:
                why = f"Who trained the job was lost {n_lost} times, the last time by {error}"
                state.end_job(job_id, "failed", why, DIED)
                return
            told = f"Who trained the job was lost ({error}); it goes on after step {trained}"
            state.add_event(job_id, told, level="warn")
        finally:
            lodger.end()


def _train_by(lodger: Lodger, state: State, job_id: str, pausing: threading.Event) -> None:
    """Have the job trained by one machine.

    Raises:
        ConfigError: its ftbuild or Python is another one.
        LostError: it is gone.
    """
    while not lodger.is_there(LOOK_SECONDS):
        if pausing.is_set():
            state.park_job(job_id, "The job was paused before it started")
            return
    job = state.job(job_id)
    assert job is not None
    parcel, paths = packed(state, job)
    for digest in lodger.ask("lacks", list(paths)):
        _send(lodger, digest, paths[digest])
    lodger.ask("begin", parcel)
    news, asked = News(), False
    while news.code is None:
        if pausing.is_set() and not asked:
            lodger.ask("pause")
            asked = True
        news = lodger.ask("news", LOOK_SECONDS)
        written(state, job, news)
    lodger.ask("leave")
    if news.code:
        state.end_job(job_id, "failed", death(news.code, news.said), DIED)


def _send(lodger: Lodger, digest: str, path: Path) -> None:
    with path.open("rb") as file:
        piece = file.read(PIECE_BYTES)
        while True:
            following = file.read(PIECE_BYTES)
            lodger.ask("take", digest, piece, not following)
            if not following:
                return
            piece = following
