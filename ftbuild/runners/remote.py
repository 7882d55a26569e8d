"""The remote actions by kind: what waits for a provider, in a thread of its own."""

from collections.abc import Callable
from functools import partial

from ftbuild.engine import Ask
from ftbuild.outcome import Build
from ftbuild.plan.action import Action
from ftbuild.runners.answers import predict
from ftbuild.runners.checkpoint import choose
from ftbuild.runners.draft import draft
from ftbuild.runners.job import job
from ftbuild.runners.judge import judge
from ftbuild.runners.rung import checkpoint
from ftbuild.runners.vectors import embed
from ftbuild.runners.workshop import Workshop
from ftbuild.voice import Voice
from ftbuild.workers import Made

REMOTE = {
    "embed": embed,
    "job": job,
    "checkpoint": checkpoint,
    "choose": choose,
    "predict": predict,
    "judge": judge,
    "draft": draft,
}


def remote(shop: Callable[[Action], Workshop]) -> dict[str, Ask]:
    """Return the remote runners by kind; `shop` gives the surroundings of an action."""

    def run(kind: str, action: Action, key: str, done: Build, voice: Voice) -> Made:
        return REMOTE[kind](shop(action), action, key, done, voice)

    return {kind: partial(run, kind) for kind in REMOTE}
