"""What people hear before a job is launched: how far the arms come that need no training."""

from ftbuild.evaluate.compare import refuse_unmeasured
from ftbuild.evaluate.head_room import head_room
from ftbuild.outcome import Build
from ftbuild.plan.action import Action
from ftbuild.report.words import head_room as worded
from ftbuild.runners.formats import parse_lines
from ftbuild.settings import Settings


def room_said(settings: Settings, job: Action, done: Build) -> str:
    """Return a line about the untrained arms, whose scores a job comes after; "" where they have no value. What a
    rehearsal makes up is called so.

    Raises:
        EvaluationError: no test example is in a slice that the round aims at, so the job would show nothing.
    """
    above = [done.ran[each] for each in job.after if each in done.ran]
    scores = {
        ran.action.label.removesuffix(" scores"): list(parse_lines(done.store.get(ran.record.outputs["scores.jsonl"])))
        for ran in above
    }
    if settings.round is not None and scores:  # the job of a round before comes after none
        refuse_unmeasured(settings.round.aims, next(iter(scores.values())))
    found = head_room(scores, settings.goal)
    if found is None:
        return ""
    return f"rehearsed {worded(found)}" if settings.rehearses else worded(found)
