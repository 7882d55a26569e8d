"""The measuring actions: score one arm's answers, compare the arms."""

from ftbuild.engine import Build, Made
from ftbuild.plan.action import Action
from ftbuild.runners.workshop import Workshop, json_file, json_lines, parse_lines


def score(shop: Workshop, action: Action, _key: str, done: Build) -> Made:
    """Score the answers of one arm."""
    from ftbuild import scorers
    from ftbuild.evaluate import scoring

    answers = {each["id"]: each["content"] for each in parse_lines(done.read(action, "predictions"))}
    cases = [
        scorers.Case(
            id=each["id"],
            input=each["raw"],
            target=each["messages"][-1]["content"],
            output=answers[each["id"]],
            group=each["group"],
            slices=each["slices"],
        )
        for each in parse_lines(done.read(action, "examples"))
    ]
    built = scorers.build(shop.settings.evaluation.scorers, shop.settings.style)
    return Made({"scores.jsonl": json_lines(scoring.score(cases, built))}, f"{len(cases):,} answers scored")


def compare(shop: Workshop, action: Action, _key: str, done: Build) -> Made:
    """Compare the arms and judge the goal."""
    from ftbuild.evaluate import compare

    scores = {name: list(parse_lines(done.read(action, name))) for name in action.settings["arms"]}
    judged = action.settings["goal"] is not None
    results = compare.compare(scores, shop.settings.goal, judged=judged)
    note = f"{results['verdict']}, goal {results['ending']}" if judged else "no verdict asked for"
    return Made({"results.json": json_file(results)}, note)
