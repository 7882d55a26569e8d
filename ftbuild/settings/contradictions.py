"""What two settings say against each other, each being valid: a goal on an arm, a metric or a slice that is not there,
shares that do not add up, a split by time without any.

Found before anything runs; without this it would come out after the training.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftbuild.settings.graders import ITEM_FIELDS, SAMPLE_FIELDS, blind, templates
from ftbuild.settings.retrieval import SLICE
from ftbuild.settings.source import GENERATED_SLICES

if TYPE_CHECKING:
    from ftbuild.settings import Settings

CLOSE = 1e-9
# As the scorers name them, which these settings do not know.
TOOL_CALLS = ("exact_set", "no_call", "recall", "precision", "f1", "names", "valid", "over", "under")
JSON_SCHEMA = ("valid", "fields", "parsed")
JUDGE = "judge"
REGISTER = ("desu_masu_ends", "mixed_ends", "informal_markers")
GROUNDING = ("supported", "citation", "abstains", "invented", "answers")


@dataclass(frozen=True)
class Contradiction:
    """`key` says `said`; `known` are the names it could have said; `fix` says what to do where that is not a name."""

    key: str
    said: str
    known: Sequence[str]
    name: str = ""
    fix: str = ""


def contradictions(settings: "Settings") -> Iterator[Contradiction]:
    """Yield them in the order of the settings."""
    yield from _shares(settings)
    yield from _split(settings)
    yield from _times(settings)
    yield from _place(settings)
    metrics, arms = metrics_of(settings), list(settings.evaluation.arms)
    goal = settings.goal
    for name, arm in (("against", goal.against), ("arm", goal.arm)):
        if arm not in arms:
            said = f"no arm {arm!r}, and the verdict compares {goal.arm} with {goal.against}"
            key = "evaluation.arms" if arm == type(goal).model_fields[name].default else f"goal.{name}"
            yield Contradiction(key, said, arms, arm)
    named = [("goal.metric", settings.goal.metric)]
    named += [("evaluation.knowledge", each) for each in settings.evaluation.knowledge]
    named += [("evaluation.behaviour", each) for each in settings.evaluation.behaviour]
    yield from (_no_metric(key, name, metrics) for key, name in named if name not in metrics)
    yield from (_judged(key) for key, name in named if name == JUDGE)
    for part, conditions in (("require", settings.goal.require), ("keep", settings.goal.keep)):
        for name, condition in conditions.items():
            key = f"goal.{part}.{name}"
            if condition.metric is not None and condition.metric not in metrics:
                yield _no_metric(f"{key}.metric", condition.metric, metrics)
            for field in ("beats", "compared_to"):
                other = getattr(condition, field)
                if other is not None and other not in arms:
                    yield Contradiction(f"{key}.{field}", f"no arm {other!r} in evaluation.arms", arms, other)
            for field in ("at_least", "at_most", "by", "may_drop"):
                value = getattr(condition, field)
                if value is not None and not 0 <= value <= 1:
                    yield _no_rate(f"{key}.{field}", value)
            if condition.slice is not None:
                yield from _slice(f"{key}.slice", condition.slice, settings)
    if settings.dataset.tests_only and settings.method.type != "none":
        fix = "method=none measures without training; or add a source to learn from."
        said = f"{settings.method.type}, and every source is only: test"
        yield Contradiction("method.type", said, (), fix=fix)
    yield from _judge(settings)
    yield from _checkpoint(settings)
    yield from _schemas(settings)
    yield from _templates(settings)
    yield from _retrieval(settings)
    yield from _dialogues(settings)
    yield from _measured(settings)
    yield from _round(settings)
    at_once = settings.request.parallel_tool_calls and settings.dataset.parallel_calls == "keep"
    if at_once and settings.provider.parallel_tool_calls is False:
        fix = "dataset.parallel_calls=one_by_one makes one call follow the other; or leave the flag out."
        said = "true, and the provider takes no parallel calls"
        yield Contradiction("request.parallel_tool_calls", said, (), fix=fix)


def _measured(settings: "Settings") -> Iterator[Contradiction]:
    """Yield that the split that is measured on is none."""
    if settings.evaluation.split == "confirm" and not settings.dataset.has_confirm:
        fix = "add a source with only: confirm, or hold some back: +dataset.split.confirm=0.15"
        yield Contradiction("evaluation.split", "confirm, and there is no confirm split", (), fix=fix)


def _round(settings: "Settings") -> Iterator[Contradiction]:
    """Yield that a round aims at no slice, that there is none before, or that its model cannot be asked."""
    if settings.round is None:
        for name, arm in settings.evaluation.arms.items():
            if arm.kind == "before":
                fix = "round.after=EXPERIMENT says which; the arm is then there without being said."
                yield Contradiction(f"evaluation.arms.{name}.kind", "before, and round is null", (), fix=fix)
        return
    for aim in settings.round.aims:
        yield from _slice("round.aims", aim, settings)
    if settings.goal.arm == "before":
        said = "before, and the round before is what others are compared with"
        yield Contradiction("goal.arm", said, (), fix="goal.arm=tuned")
    if settings.provider.deploys is not None and not settings.provider.is_ours:
        said = f"given, and {settings.provider.title} answers only with what is deployed, one model at a time"
        yield Contradiction("round.after", said, (), fix="round=null trains the same without the comparison.")


def _dialogues(settings: "Settings") -> Iterator[Contradiction]:
    """Yield what says something of dialogues or samples, where there are none or they are all the same."""
    asked = settings.evaluation
    if asked.turns == 1:
        fix = "evaluation.turns=4 leaves room for calls, their results and an answer."
        for key, there in (("results", asked.results), ("scorers.results", "results" in asked.scorers)):
            if there:
                yield Contradiction(f"evaluation.{key}", "given, and no call is run in one turn", (), fix=fix)
    if asked.samples > 1 and settings.request.temperature == 0:
        said = f"{asked.samples}, and at temperature 0 one answer is like the other"
        yield Contradiction("evaluation.samples", said, (), fix="request.temperature=0.7")


def _place(settings: "Settings") -> Iterator[Contradiction]:
    """Yield that a hosted provider has no address, or that our own server has no weights to train."""
    asked = {"": (settings.provider, settings.model)}
    for name, arm in settings.evaluation.arms.items():
        if arm.model is not None:
            asked[f"evaluation.arms.{name}."] = (arm.provider or settings.provider, arm.model)
    for where, (provider, model) in asked.items():
        if provider.kind == "hosted" and provider.base_url is None:
            fix = f"{where}provider.base_url=https://HOST/v1"
            yield Contradiction(
                f"{where}provider.base_url", "null, and a hosted provider needs an address", (), fix=fix
            )
        if provider.kind == "embedded" and not model.is_here:
            arm_of = f"@{where}provider" if where else ""
            fix = f"provider{arm_of}=openai, or wherever it is hosted; or a model of this machine: model=smollm2."
            said = f"{model.id!r} is hosted elsewhere: its weights cannot be had here"
            yield Contradiction(f"{where}model.id", said, (), fix=fix)


def _shares(settings: "Settings") -> Iterator[Contradiction]:
    """Yield that the shares of the training split are more than there is, or that nothing fills the rest."""
    sources = {name: each for name, each in settings.dataset.of_examples.items() if each.only in (None, "train")}
    shares = {name: each.share for name, each in sources.items() if each.share is not None}
    total = sum(shares.values())
    if not shares or (total < 1 - CLOSE and len(shares) < len(sources)):
        return
    key = f"dataset.sources.{list(shares)[-1]}.share"
    said = f"{shares[list(shares)[-1]]:g}, and the shares of {', '.join(shares)} are {total:g} in all"
    if len(shares) < len(sources):
        rest = ", ".join(name for name in sources if name not in shares)
        yield Contradiction(key, f"{said}, which leaves nothing to {rest}", [], fix="lower the shares to less than 1.")
    elif abs(total - 1) > CLOSE:
        fix = "leave one source without a share: it fills the rest."
        yield Contradiction(key, f"{said}; no other source is learnt from", [], fix=fix)


def _split(settings: "Settings") -> Iterator[Contradiction]:
    """Yield that the shares of the splits leave nothing to train on."""
    split, sources = settings.dataset.split, settings.dataset.of_examples.values()
    shares = {name: getattr(split, name) for name in ("validation", "test", "confirm")}
    shares = {name: share for name, share in shares.items() if share}
    total = sum(shares.values())
    is_filled = any(each.only == "train" for each in sources)
    drawn = split.by == "group" and any(each.only is None for each in sources)
    if drawn and (total > 1 + CLOSE or (total > 1 - CLOSE and not is_filled)):
        named = " and ".join(f"{share:g} for {name}" for name, share in shares.items())
        said = f"the shares {named} are {total:g} in all, which leaves nothing to train on"
        key = f"dataset.split.{max(shares, key=lambda name: shares[name])}"
        yield Contradiction(key, said, (), fix="lower them: what is left of 1 trains.")


def _times(settings: "Settings") -> Iterator[Contradiction]:
    """Yield that a split by time finds no time in any source that is to be split."""
    sources = {name: each for name, each in settings.dataset.of_examples.items() if each.only is None}
    if settings.dataset.split.by == "time" and sources and not any(each.time for each in sources.values()):
        fix = f"name its field: dataset.sources.{next(iter(sources))}.time=FIELD"
        yield Contradiction("dataset.split.by", "time, and no source says where its time stands", [], fix=fix)


def metrics_of(settings: "Settings") -> list[str]:
    """Return the metrics that the scorers and the style's rules give."""
    rules = settings.style.rules
    given = {
        "style": ["style.all_kept", *(f"style.{name}" for name in type(rules).model_fields if getattr(rules, name))],
        "chrf": ["chrf"],
        "facts": ["facts.kept", "facts.invented"],
        "exact": ["exact", "exact.normalised"],
        "tool_calls": [f"tool_calls.{name}" for name in TOOL_CALLS],
        "json_schema": [f"json_schema.{name}" for name in JSON_SCHEMA],
        "results": ["results.stated", "results.obtained"],
        "rouge_l": ["rouge_l"],
        "constraints": _constraints(settings),
        "criteria": ["criteria.all_met", "criteria.met"],
        "judge": [JUDGE],
        "register": [f"register.{name}" for name in REGISTER],
        "grounding": [f"grounding.{name}" for name in GROUNDING],
    }
    return [metric for scorer in settings.evaluation.scorers for metric in given[scorer]]


def _judge(settings: "Settings") -> Iterator[Contradiction]:
    """Yield that a judge has no rubric, or a rubric no judge."""
    if JUDGE in settings.evaluation.scorers and settings.judge.rubric is None:
        said = "null, and the scorer judge judges by one"
        yield Contradiction("judge.rubric", said, (), fix="judge=formal, or a rubric of your own in conf/judge.")
    if JUDGE not in settings.evaluation.scorers and settings.judge.rubric is not None:
        fix = "evaluation=judged, or another with the scorer judge; or leave the judge out."
        yield Contradiction("judge.rubric", "given, and no scorer judges by it", (), fix=fix)


def _checkpoint(settings: "Settings") -> Iterator[Contradiction]:
    """Yield that checkpoints are to be compared by their answers where each would have to be deployed first."""
    provider = settings.provider
    if settings.method.checkpoint == "best_evaluation" and provider.deploys is not None and not provider.is_ours:
        said = f"best_evaluation, and {provider.title} answers only with what is deployed, one checkpoint at a time"
        fix = "method.checkpoint=lowest_validation_loss"
        yield Contradiction("method.checkpoint", said, (), fix=fix)


def _judged(key: str) -> Contradiction:
    said = "the verdict rests on what is counted, not on what is judged"
    return Contradiction(key, said, (), fix="name another metric here, and the judge in a condition.")


def _constraints(settings: "Settings") -> list[str]:
    options = settings.evaluation.scorers.get("constraints")
    return ["constraints.all_met", *(f"constraints.{name}" for name in options.constraints)] if options else []


def _no_metric(key: str, metric: str, metrics: Sequence[str]) -> Contradiction:
    return Contradiction(key, f"no metric {metric!r} comes from evaluation.scorers and style.rules", metrics, metric)


def _no_rate(key: str, value: float) -> Contradiction:
    """Return that a bound is none that a metric can reach: all of them lie between 0 and 1."""
    fix = f"{key}={value / 100:g}" if 1 < value <= 100 else f"write a number from 0 to 1, as {key}=0.8."
    return Contradiction(key, f"{value:g}, and every metric lies between 0 and 1", (), fix=fix)


def _slice(key: str, said: str, settings: "Settings") -> Iterator[Contradiction]:
    name, _, value = said.partition("=")
    sources = settings.dataset.of_examples
    made = GENERATED_SLICES if any(each.kind == "generator" for each in sources.values()) else ()
    made = (*made, SLICE) if settings.retrieval.documents is not None else made
    fields = list(dict.fromkeys(["source", *made, *(field for each in sources.values() for field in each.slices)]))
    if name not in fields or not value:
        yield Contradiction(key, f"no slice {said!r}", [f"{field}=VALUE" for field in fields], said)
    elif name == "source" and value not in sources:
        yield Contradiction(key, f"no source {value!r} in dataset.sources", list(sources), value)


def _schemas(settings: "Settings") -> Iterator[Contradiction]:
    """Yield sources whose schema is not there, and answers of several forms where a job takes one."""
    for name, source in settings.dataset.of_examples.items():
        said = source.schema_name
        if said is not None and said not in settings.schemas:
            fix = f"put `- /schema@schemas.{said}: {said}` into the defaults of the experiment."
            key = f"dataset.sources.{name}.schema"
            yield Contradiction(key, f"no schema {said!r} in schemas", list(settings.schemas), said, fix)
    forms = list(dict.fromkeys(each.schema_name or "none" for each in settings.dataset.of_examples.values()))
    if settings.method.type == "reinforcement" and len(forms) > 1:
        said = f"a job has one response_format, and the sources have {', '.join(forms)}"
        yield Contradiction("method.type", said, (), fix="take the sources of one schema.")


def _retrieval(settings: "Settings") -> Iterator[Contradiction]:
    """Yield that the documents of retrieval are none, and what is to be given passages and holds no examples."""
    retrieval, sources = settings.retrieval, settings.dataset.of_examples
    documents = [name for name in settings.dataset.sources if name not in sources]
    if retrieval.documents is not None and retrieval.documents not in documents:
        said = f"no source {retrieval.documents!r} of the kind documents in dataset.sources"
        fix = f"put `- /source@dataset.sources.{retrieval.documents}: OPTION` into the defaults of the experiment."
        yield Contradiction("retrieval.documents", said, documents, retrieval.documents, "" if documents else fix)
    asks = retrieval.documents is not None and retrieval.kind != "lexical" and retrieval.model is None
    if asks and not settings.model.is_here:
        fix = "retrieval.model=NAME, of a model that gives embeddings; or retrieval.kind=lexical."
        said = f"null, and {settings.model.id!r} of the experiment is not known to give vectors"
        yield Contradiction("retrieval.model", said, (), fix=fix)
    for name, arm in settings.evaluation.arms.items():
        if arm.retrieval and retrieval.documents is None:
            fix = "name them, as conf/retrieval/handbook.yaml does: retrieval=OPTION"
            key = f"evaluation.arms.{name}.retrieval"
            yield Contradiction(key, "true, and retrieval.documents names no passages", (), fix=fix)
    for name in retrieval.sources or ():
        if name not in sources:
            said = f"no source {name!r} of examples in dataset.sources"
            yield Contradiction("retrieval.sources", said, list(sources), name)


def _templates(settings: "Settings") -> Iterator[Contradiction]:
    """Yield what a grader asks for that no answer and no line has."""
    if settings.method.grader is None:
        return
    for key in blind(settings.method.grader, "method.grader"):
        fix = "name it in double braces, as in {{sample.output_text}}."
        yield Contradiction(key, "reads nothing of the answer: all would be worth the same", (), fix=fix)
    for key, template in templates(settings.method.grader, "method.grader"):
        space, _, path = template.partition(".")
        name = path.partition(".")[0].partition("[")[0]
        known = {"sample": SAMPLE_FIELDS, "item": ITEM_FIELDS}.get(space)
        if known is None:
            said = f"{{{{{template}}}}} begins with neither sample nor item"
            yield Contradiction(key, said, ["sample.output_text", "item.reference"], template)
        elif name not in known:
            yield Contradiction(key, f"no field {name!r} in {space}", known, name)


def job_schema(settings: "Settings") -> str | None:
    """Return the name of the schema of the answers that a job of reinforcement learns to give, None for no form."""
    names = {each.schema_name for each in settings.dataset.of_examples.values()}
    return names.pop() if settings.method.type == "reinforcement" and len(names) == 1 else None
