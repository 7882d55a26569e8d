"""Settings -> graph: the whole lifecycle of one experiment, in about a hundred lines.

    ingest (one a source) -> dataset -> render -> job -> predict (one an arm) -> score -> compare -> report

Every action takes just the settings that change its result. The free arms and the base model
need no job, so they come first, and the job waits for their scores, which say whether there is room to gain.
"""

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from ftbuild.chat import ResponseFormat, Tool
from ftbuild.example import SPLITS, USUAL, Split
from ftbuild.plan import data_keys
from ftbuild.plan.action import (
    CHOOSE,
    COMPARE,
    DATASET,
    EMBED,
    INDEX,
    INGEST,
    JOB,
    JUDGE,
    PREDICT,
    RENDER,
    REPORT,
    SCORE,
    TARGETS,
    WALL,
    Action,
    Input,
    Stage,
)
from ftbuild.plan.graph import Graph
from ftbuild.plan.rounds import BEFORE, Before, Trained
from ftbuild.scorers.judge import PROMPT_DIGEST
from ftbuild.settings import Arm, Goal, Settings
from ftbuild.settings.contradictions import job_schema
from ftbuild.settings.evaluation import ASKED, ScorerName
from ftbuild.settings.graders import templates

LABELLED = "labelled.judgements"  # the role of a judge's replies, which no arm is called


def resolve(
    settings: Settings,
    source_digests: Mapping[str, str],
    scorer_versions: Mapping[str, int],
    judged: bool = True,
    tools: Sequence[Tool] = (),
    forms: Mapping[str, ResponseFormat] | None = None,
    results: Mapping[str, object] | None = None,
    labelled: Sequence[Mapping[str, Any]] = (),
    before: Before | None = None,
) -> Graph:
    """Return the graph of one experiment.

    `source_digests` maps each source to the sha256 of its file's bytes, `scorer_versions` each scorer to its
    version; `tools` are those of the settings, read from wherever they stand; `forms` map the sources whose answers
    have one to it; `results` say of each tool that is run what runs it; without `judged` the comparison gives numbers
    and no verdict; `labelled` are the judge's examples; `before` is what `resolve_job` returns of the round before.
    """
    graph = Graph()
    forms = forms or {}
    dataset = _dataset(graph, settings, source_digests, tools, forms)
    lines = _lines(graph, settings, dataset, _wall(graph, settings, dataset))
    if before is not None:
        graph.borrow(before.graph)
    asked = _targets(graph, settings, dataset, settings.evaluation.split)
    scores: dict[str, str] = {}
    predictions: dict[str, str] = {}
    check = _judge(graph, settings, "judge", "train", (), labelled=list(labelled)) if labelled else None
    job, trained = None, before.trained if before is not None else None
    for is_trained in (False, True):
        arms = {name: arm for name, arm in settings.arms.items() if (arm.kind == "tuned") == is_trained}
        if is_trained and arms:
            job = _job(graph, settings, lines, forms, tuple(scores.values()))
            trained = _trained(graph, settings, dataset, job, results or {}, scorer_versions)
        for name, arm in arms.items():
            predictions[name] = _predict(graph, settings, name, arm, asked, dataset, trained, results or {})
        for name in arms:
            answers = (asked, Input("predictions", predictions[name], "predictions.jsonl"))
            stage = graph.actions[predictions[name]].stage
            said = {"samples": settings.evaluation.samples} if settings.evaluation.samples > 1 else {}
            judgement = _judge(graph, settings, f"{name} judged", stage, answers, **said) if check is not None else None
            scores[name] = _score(graph, settings, name, answers, judgement, dataset, scorer_versions)
    own = trained.job if job is not None and trained is not None else None
    _report(graph, settings, judged, dataset, asked, lines, job, own, predictions, scores, check, before)
    return graph


def resolve_job(
    settings: Settings,
    source_digests: Mapping[str, str],
    scorer_versions: Mapping[str, int],
    tools: Sequence[Tool] = (),
    forms: Mapping[str, ResponseFormat] | None = None,
    results: Mapping[str, object] | None = None,
) -> Before:
    """Return the job of an experiment for the round after it; what is given is as for `resolve`."""
    graph = Graph()
    dataset = _dataset(graph, settings, source_digests, tools, forms or {})
    job = _job(graph, settings, _lines(graph, settings, dataset), forms or {}, ())
    return Before(graph, _trained(graph, settings, dataset, job, results or {}, scorer_versions))


def _lines(graph: Graph, settings: Settings, dataset: str, after: tuple[str, ...] = ()) -> str:
    splits = tuple(Input(split, dataset, f"{split}.jsonl") for split in _splits(settings))
    return graph.add(
        Action(RENDER, "lines", "data", {"method": settings.method.lines, **_graded(settings)}, splits, after)
    )


def _wall(graph: Graph, settings: Settings, dataset: str) -> tuple[str, ...]:
    """Add what holds walled examples before the tests in meaning, where vectors tell it, and return it."""
    held = data_keys.in_meaning(settings)
    if not held or settings.embedder is None:
        return ()
    names = (*_splits(settings), "provenance")
    inputs = tuple(Input(each, dataset, f"{each}.jsonl") for each in names)
    vectors = graph.add(Action(EMBED, "wall vectors", "data", {**data_keys.embedder(settings), **held}, inputs))
    return (graph.add(Action(WALL, "wall", "data", held, (*inputs, Input("vectors", vectors, "vectors.npz")))),)


def _splits(settings: Settings) -> Sequence[Split]:
    return SPLITS if settings.dataset.has_confirm else USUAL


def _graded(settings: Settings) -> dict[str, object]:
    """Return the fields of a line that a grader asks for, where there is one."""
    grader = settings.method.grader
    asked = [template for _, template in templates(grader, "")] if grader is not None else []
    fields = {each.removeprefix("item.").partition(".")[0].partition("[")[0] for each in asked if each[:5] == "item."}
    return {"reads": sorted(fields)} if fields else {}


def _dataset(
    graph: Graph,
    settings: Settings,
    source_digests: Mapping[str, str],
    tools: Sequence[Tool],
    forms: Mapping[str, ResponseFormat],
) -> str:
    inputs = []
    for name, source in settings.sources.items():
        ingest = Action(
            INGEST,
            name,
            "data",
            {
                "source": data_keys.read(source),
                "name": name,
                "bytes": source_digests[name],
                **({"response_format": _text(forms[name])} if name in forms else {}),
                **({"accepted": True} if source.kind == "bfcl" else {}),  # without them it was read before
            },
        )
        output = "passages.jsonl" if source.kind == "documents" else "examples.jsonl"
        inputs.append(Input(name, graph.add(ingest), output))
    documents = settings.retrieval.documents
    if documents is not None:
        inputs.append(Input(f"{documents}.index", _index(graph, settings, documents, inputs), "index.npz"))
    inputs.sort(key=lambda each: each.role)
    style = settings.style
    return graph.add(
        Action(
            DATASET,
            "dataset",
            "data",
            {
                "split": settings.dataset.split.keyed(),
                "limit": settings.dataset.limit,
                "system": style.system,
                "language": style.language,
                "expand": [[short, long] for short, long in style.expand.items()],
                "licences": {name: source.licence for name, source in settings.sources.items()},
                **data_keys.consents(settings),
                **data_keys.tools_told(settings, tools),
                **({"deduplicate": "near"} if settings.dataset.deduplicate == "near" else {}),
                **data_keys.redact(settings),
                **data_keys.shares(settings),
                **data_keys.walled(settings),
                **data_keys.retrieval(settings),
                **({"confirm": True} if settings.dataset.has_confirm else {}),
                **({"tests_only": True} if settings.dataset.tests_only else {}),
                **({"without": [*settings.dataset.without.items()]} if settings.dataset.without else {}),
            },
            tuple(inputs),
        )
    )


def _index(graph: Graph, settings: Settings, documents: str, sources: Sequence[Input]) -> str:
    """Add the index of the documents, and where it has vectors what asks for them; return the index."""
    kind = settings.retrieval.kind
    inputs = [Input("passages", next(each.action for each in sources if each.role == documents), "passages.jsonl")]
    if kind != "lexical":
        asked = settings.retrieval.sources or list(settings.dataset.of_examples)
        keyed = {**data_keys.embedder(settings), **data_keys.redact(settings)}
        questions = [
            Input(f"questions.{name}", each.action, each.output)
            for name in sorted(asked)
            for each in sources
            if each.role == name
        ]
        vectors = Action(EMBED, f"{documents} vectors", "data", keyed, (*inputs, *questions))
        inputs.append(Input("vectors", graph.add(vectors), "vectors.npz"))
    index = {"kind": kind} if kind != "lexical" else {}
    return graph.add(Action(INDEX, f"{documents} index", "data", index, tuple(inputs)))


def _text(form: ResponseFormat) -> str:
    """Return a form as it enters a key: a JSON text, since the order of properties has meaning."""
    return json.dumps(form.to_json(), ensure_ascii=False)


def _checkpoint(settings: Settings) -> dict[str, object]:
    """Return which checkpoint is used, where it is not the last."""
    rule = settings.method.checkpoint
    return {} if rule == "last" else {"checkpoint": rule}


def _job(
    graph: Graph, settings: Settings, lines: str, forms: Mapping[str, ResponseFormat], untrained: tuple[str, ...]
) -> str:
    schema = job_schema(settings)
    form = next((form for form in forms.values() if form.name == schema), None)
    return graph.add(
        Action(
            JOB,
            "job",
            "train",
            {
                "provider": settings.provider.keyed(),
                "model": settings.model.keyed(),
                "method": {name: value for name, value in settings.method.keyed().items() if name != "checkpoint"},
                "seed": settings.seed,
                **({"response_format": _text(form)} if form is not None else {}),
            },
            (Input("training_file", lines, "train.jsonl"), Input("validation_file", lines, "validation.jsonl")),
            after=untrained,
        )
    )


def _trained(
    graph: Graph,
    settings: Settings,
    dataset: str,
    job: str,
    results: Mapping[str, object],
    scorer_versions: Mapping[str, int],
) -> Trained:
    """Return the job with its checkpoint, which the validation split may have to choose by the goal's metric."""
    if settings.method.checkpoint == "best_evaluation":
        metric = settings.goal.metric
        scorer = next(name for name in settings.evaluation.scorers if name == metric.partition(".")[0])
        keyed = {"metric": metric, **_asked(settings, results), **_scoring(settings, [scorer], scorer_versions)}
        inputs = [_targets(graph, settings, dataset, "validation"), Input("job", job, "job.json")]
        inputs += _provenance(dataset, [scorer])
        job = graph.add(Action(CHOOSE, "checkpoint", "train", keyed, tuple(inputs)))
    return Trained(Input("job", job, "job.json"), _checkpoint(settings))


def _targets(graph: Graph, settings: Settings, dataset: str, split: str) -> Input:
    """Return where the examples to be answered come from: the last answers of a split, or every answer in it."""
    if settings.evaluation.targets == "last":
        return Input("examples", dataset, f"{split}.jsonl")
    keyed = {"whole": settings.evaluation.turns > 1}
    label = "targets" if split == settings.evaluation.split else f"{split} targets"
    every = Action(TARGETS, label, "data", keyed, (Input("examples", dataset, f"{split}.jsonl"),))
    return Input("examples", graph.add(every), "test.jsonl")


def _asked(settings: Settings, results: Mapping[str, object]) -> dict[str, object]:
    """Return how a model is asked, and how dialogues are played and how often, where they are."""
    asked = settings.evaluation
    said: dict[str, object] = {"request": settings.request.keyed(), "seed": settings.sampling_seed}
    keyed: dict[str, object] = {"turns": asked.turns, "results": dict(results)} if asked.turns > 1 else {}
    return said | keyed | ({"samples": asked.samples} if asked.samples > 1 else {})


def _predict(
    graph: Graph,
    settings: Settings,
    name: str,
    arm: Arm,
    asked: Input,
    dataset: str,
    trained: Trained | None,
    results: Mapping[str, object],
) -> str:
    inputs = [asked]
    keyed: dict[str, object] = {"kind": "tuned" if arm.kind == BEFORE else arm.kind}
    if arm.retrieval is False and settings.retrieval.documents is not None:
        keyed["retrieval"] = False
    if arm.kind == "rules":
        keyed["substitute"] = [[old, new] for old, new in arm.substitute.items()]
        keyed["opening"] = arm.opening
        keyed["expand"] = [[short, long] for short, long in settings.style.expand.items()]
    elif arm.kind in ASKED:
        keyed |= _asked(settings, results)
    if arm.examples:
        keyed |= {"examples": arm.examples, "drawn": settings.seed}
        inputs.append(Input("shots", dataset, "train.jsonl"))
    if arm.kind == "base":
        keyed["provider"] = (arm.provider or settings.provider).keyed()
        keyed["model"] = (arm.model or settings.model).keyed()
    elif arm.kind in ("tuned", BEFORE):
        assert trained is not None
        inputs.append(trained.job)
        keyed |= trained.checkpoint
    return graph.add(Action(PREDICT, name, "test" if arm.kind == "tuned" else "train", keyed, tuple(inputs)))


def _judge(
    graph: Graph, settings: Settings, label: str, stage: Stage, inputs: tuple[Input, ...], **keyed: object
) -> str:
    """Return the judgements of one arm's answers, or of the labelled examples."""
    asked = settings.of_judge
    keyed |= {"prompt": PROMPT_DIGEST, "rubric": settings.judge.rubric}
    keyed |= {"provider": asked.provider.keyed(), "model": asked.model.keyed()}
    return graph.add(Action(JUDGE, label, stage, keyed, inputs))


def _score(
    graph: Graph,
    settings: Settings,
    name: str,
    answers: tuple[Input, ...],
    judgement: str | None,
    dataset: str,
    scorer_versions: Mapping[str, int],
) -> str:
    scorers = settings.evaluation.scorers
    return graph.add(
        Action(
            SCORE,
            f"{name} scores",
            "test" if settings.evaluation.arms[name].kind == "tuned" else "train",
            _scoring(settings, scorers, scorer_versions),
            (
                *answers,
                *([Input("judgements", judgement, "judgements.jsonl")] if judgement is not None else []),
                *_provenance(dataset, scorers),
            ),
        )
    )


def _scoring(settings: Settings, scorers: Iterable[ScorerName], versions: Mapping[str, int]) -> dict[str, object]:
    """Return what decides how answers are scored."""
    style, evaluation = settings.style, settings.evaluation
    asked = ((name, evaluation.scorers[name].keyed()) for name in scorers)
    return {
        "scorers": [[name, versions[name], *([options] if options else [])] for name, options in asked],
        "rules": style.rules.keyed(),
        "slang": sorted(style.slang),
        "language": style.language,
        **({"turns": evaluation.turns} if evaluation.turns > 1 else {}),
    }


def _provenance(dataset: str, scorers: Container[str]) -> list[Input]:
    """Return where the gold passages stand, for a scorer that reads them."""
    return [Input("provenance", dataset, "provenance.jsonl")] if "grounding" in scorers else []


def _report(
    graph: Graph,
    settings: Settings,
    judged: bool,
    dataset: str,
    asked: Input,
    lines: str,
    job: str | None,
    trained: Input | None,
    predictions: Mapping[str, str],
    scores: Mapping[str, str],
    check: str | None,
    before: Before | None,
) -> None:
    arms, judged_arm = list(settings.arms), settings.judged_arm
    looked_at, judged = judged, judged and judged_arm == settings.goal.arm
    named = {"arm": judged_arm, "against": settings.goal.against}
    usual = named == {"arm": "tuned", "against": "base"}
    needed = {"judge": {"at_least": settings.judge.at_least}} if check is not None else {}
    compare = graph.add(
        Action(
            COMPARE,
            "verdict",
            "test",
            {
                "goal": _goal(settings.goal) if judged else None,
                "arms": arms,
                "metric": settings.goal.metric,
                **({} if usual else named),
                **(_levers(settings) if looked_at else {}),
                **({"rehearsed": True} if settings.rehearses else {}),
                **({"round": _round(settings, before)} if before is not None and judged else {}),
                **needed,
            },
            (
                *(Input(name, scores[name], "scores.jsonl") for name in arms),
                *([Input(LABELLED, check, "judgements.jsonl")] if check is not None else []),
            ),
        )
    )
    inputs = [
        Input("results", compare, "results.json"),
        asked,
        Input("provenance", dataset, "provenance.jsonl"),
        Input("dropped", dataset, "dropped.json"),
        Input("manifest", lines, "manifest.json"),
        Input("samples", lines, "train.jsonl"),
        *(Input(f"{name}.predictions", predictions[name], "predictions.jsonl") for name in arms),
        *(Input(f"{name}.scores", scores[name], "scores.jsonl") for name in arms),
        *([Input(f"{BEFORE}.job", before.trained.job.action, "job.json")] if before is not None else []),
    ]
    if settings.retrieval.documents is not None:
        inputs.append(Input("retrieval", dataset, "retrieval.json"))
    if job is not None and trained is not None:
        inputs.append(trained)
        inputs.append(Input("metrics", job, "metrics.jsonl"))
    chosen = _checkpoint(settings) if job is not None else {}
    graph.add(Action(REPORT, "report", "test", {"arms": arms, **chosen}, tuple(inputs)))


def _round(settings: Settings, before: Before) -> dict[str, object]:
    """Return which round it is, what it aims at, and how used-up its test examples are."""
    assert settings.round is not None
    split = settings.evaluation.split
    said = {"number": before.number, "after": settings.round.after, "aims": settings.round.aims}
    return said | {"looks": before.looks, "split": split, "fresh": settings.dataset.has_confirm and split == "test"}


def _levers(settings: Settings) -> dict[str, object]:
    """Return which arms tell retrieval and tuning apart, and by which metrics, where the config says the metrics."""
    sides = {"knowledge": settings.evaluation.knowledge, "behaviour": settings.evaluation.behaviour}
    sides = {name: metrics for name, metrics in sides.items() if metrics}
    if not sides or settings.retrieval.documents is None:
        return {}
    places = {
        ("base", False): "neither",
        ("base", True): "retrieval",
        ("tuned", False): "tuning",
        ("tuned", True): "both",
    }
    found: dict[str, str] = {}
    for name, arm in settings.evaluation.arms.items():
        place = places.get((arm.kind, arm.retrieval is not False))
        if place is not None and not arm.examples and arm.model is None:
            found.setdefault(place, name)
    return {"levers": {"arms": found, "sides": [[name, metrics] for name, metrics in sides.items()]}}


def _goal(goal: Goal) -> dict[str, object]:
    """Return the goal with its conditions as lists: they are told in the order written."""
    keyed = goal.keyed()
    return keyed | {part: [[name, each] for name, each in keyed[part].items()] for part in ("require", "keep")}
