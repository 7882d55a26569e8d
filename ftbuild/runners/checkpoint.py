"""How good each checkpoint of a job is: its answers to the validation examples, by the goal's metric.

The examples of the verdict are not among them, so the choice takes nothing away from it.
"""

import json

from ftbuild.evaluate.scoring import evaluation
from ftbuild.ledger.checkpoints import choose as chosen
from ftbuild.outcome import Build
from ftbuild.plan.action import Action
from ftbuild.runners.answers import answered, written
from ftbuild.runners.formats import parse_lines
from ftbuild.runners.measure import score
from ftbuild.runners.workshop import Workshop
from ftbuild.scorers import metric_of
from ftbuild.stream import Content
from ftbuild.voice import Voice
from ftbuild.workers import Made


def choose(shop: Workshop, action: Action, _key: str, done: Build, voice: Voice) -> Made:
    """Return the job with an `evaluation` of each checkpoint: the metric, n and the mean.

    Raises:
        EvaluationError: nothing could be compared.
    """
    job = json.loads(done.read(action, "job"))
    inputs = {each.role: done.read(action, each.role) for each in action.inputs if each.role != "job"}
    examples = list(parse_lines(inputs["examples"]))
    last = max((each["step"] for each in job["checkpoints"]), default=None)
    for each in job["checkpoints"] if examples else ():
        model = job["fine_tuned_model"] if each["step"] == last else each["model"]
        if model is None:
            continue
        voice.say(f"step {each['step']} answers {len(examples):,} validation examples")
        answers = answered(shop, "tuned", model, examples, (), voice)
        predictions: Content = written(shop, action, examples, answers)
        scored = score(action.settings, {**inputs, "predictions": predictions}, {}).outputs["scores.jsonl"]
        each["evaluation"] = evaluation(parse_lines(scored), action.settings["metric"])
    found = chosen(job, "best_evaluation")
    best = next(each for each in job["checkpoints"] if each["step"] == found.step)["evaluation"]
    metric = metric_of(best["metric"])
    note = f"step {found.step} of {last}: {metric.label} {best['mean']:.3f} on {best['n']:,} validation examples"
    return Made({"job.json": json.dumps(job, indent=1).encode() + b"\n"}, note)
