"""What the actions of a plan will cost: the exact tokens of the training lines, where they are written, at the
prices of the profile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ftbuild.example import SPLITS, Split
from ftbuild.lookup import Planned
from ftbuild.plan import cost
from ftbuild.plan.action import CHOOSE, DRAFT, EMBED, JOB, JUDGE, RENDER
from ftbuild.plan.cost import Sizes
from ftbuild.plan.estimate import NOTHING, Estimate, total
from ftbuild.points import Point, asked_as, owners
from ftbuild.runners import counting
from ftbuild.settings import Settings
from ftbuild.store.store import Store

TO_COME = ("RUN", "MAYBE")
ASKING = ("job", "choose", "judge", "embed", "draft")  # kinds of actions that ask a provider, whatever they say
ASKED = ("base", "tuned")  # arms whose answers a provider gives


def estimates(planned: Sequence[Planned], points: Sequence[Point], store: Store) -> dict[str, Estimate]:
    """Return what each action will cost, by id; nothing for what is done, under way, or made on this machine."""
    own, by_id = owners(points), {one.action.id: one for one in planned}
    known: dict[tuple[str, Split], Sizes | None] = {}
    found = {}
    for one in planned:
        point = asked_as(own[one.action.id], one.action)
        found[one.action.id] = NOTHING
        if not is_asked(one) or one.status not in TO_COME or provider_kind(one, point) == "embedded":
            continue
        if one.action.kind is EMBED:
            free = cost.is_free(point.composed.settings.provider)
            found[one.action.id] = Estimate(None, 0 if free else None, estimated=True)
            continue
        if one.action.kind is DRAFT:
            found[one.action.id] = cost.of_drafts(point.composed.settings, one.action.settings["prompts"])
            continue
        lines = next(name for name in point.ids if by_id[name].action.kind.name == "render")
        measured: Split = point.composed.tree["evaluation"].get("split") or "test"
        split = measured if one.action.split == "test" else one.action.split
        which = (lines, split)
        if which not in known:
            known[which] = sizes(by_id[lines], store, split)
        found[one.action.id] = _estimate(one, point.composed.settings, _with_shots(known[which], one))
    return found


def of_job(point: Point, planned: Sequence[Planned], store: Store) -> Estimate:
    """Return what the job of a point costs, whoever has launched it."""
    lines = next(one for one in planned if one.action.kind is RENDER and one.action.id in point.ids)
    return cost.of_job(point.composed.settings, sizes(lines, store))


def is_asked(one: Planned) -> bool:
    """Return whether an action asks a provider for something: a job, vectors, or the answers of a model."""
    kind = one.action.kind.name
    return kind in ASKING or (kind == "predict" and one.action.settings["kind"] in ASKED)


def provider_kind(one: Planned, point: Point) -> str:
    """Return the kind of the provider that an action asks: read off the tree, a model of the settings costs memory."""
    tree = point.composed.tree
    own = (tree.get("judge") or {}).get("provider") if one.action.kind is JUDGE else None
    return str((own or tree["provider"])["kind"])


def _estimate(one: Planned, settings: Settings, sizes: Sizes | None) -> Estimate:
    if one.action.kind is CHOOSE and sizes is not None:
        asked = settings.method.hyperparameters.n_epochs
        times = min(cost.CHECKPOINTS, cost.epochs(asked, sizes.n_train))
        sizes = replace(sizes, n_test=times * sizes.n_validation, test_tokens=times * sizes.validation_tokens)
    if one.action.kind is not JUDGE:
        return (cost.of_job if one.action.kind is JOB else cost.of_answers)(settings, sizes)
    if (labelled := one.action.settings.get("labelled")) is None:
        return cost.of_judgements(settings.of_judge, sizes)
    n_characters = sum(len(pair[part]) for pair in labelled for part in ("message", "one", "other"))
    return cost.of_pairs(settings.of_judge, len(labelled), n_characters // cost.CHARACTERS_PER_TOKEN)


def _with_shots(sizes: Sizes | None, one: Planned) -> Sizes | None:
    """Return the sizes with the examples that an arm puts before each question, each as long as others are."""
    n = one.action.settings.get("examples", 0)
    if sizes is None or not n or not sizes.n_train:
        return sizes
    return replace(sizes, test_tokens=sizes.test_tokens + sizes.n_test * n * sizes.train_tokens // sizes.n_train)


def sizes(lines: Planned, store: Store, asked: Split = "test") -> Sizes | None:
    """Return how much there is to learn from, and in the split that is `asked`; None while it is not built."""
    if lines.record is None:
        return None
    counted = counting.read(store.get(lines.record.outputs["facts.jsonl"])).items()
    found = {split: [(each.n_tokens, n) for each, n in counted if each.split == split] for split in SPLITS}
    n = {split: sum(times for _, times in many) for split, many in found.items()}
    tokens = {split: sum(n_tokens * times for n_tokens, times in many) for split, many in found.items()}
    return Sizes(
        *(n["train"], tokens["train"], n["validation"], tokens["validation"], n[asked], tokens[asked]),
        encoding=counting.ENCODING,
    )


@dataclass(frozen=True)
class Bill:
    """What a plan costs in all: the paid jobs and sets of answers to come, where, and at prices of when."""

    n_jobs: int
    n_answers: int
    total: Estimate
    providers: tuple[str, ...]
    as_of: tuple[str, ...]

    @property
    def is_paid(self) -> bool:
        """Return whether anything is paid, at whatever price."""
        return self.n_jobs + self.n_answers > 0

    def __str__(self) -> str:
        """Return the bill in words: `one paid job, about $5.97 in all at prices of 2025-11`."""
        jobs = {0: "no paid job", 1: "one paid job"}.get(self.n_jobs, f"{self.n_jobs} paid jobs")
        at = f" at prices of {', '.join(self.as_of)}" if self.as_of else ""
        return f"{jobs}, {self.money()} in all{at}" if self.total.cost_usd is not None else f"{jobs}, {self.money()}"

    def money(self) -> str:
        """Return the sum in words; a price that is not known is said to be unknown."""
        if self.total.cost_usd is not None:
            return self.total.dollars()
        if self.total.n_tokens is None and self.as_of:
            return "cost unknown until the data is built (ftbuild dataset)"
        return f"cost unknown: no price of {' and '.join(self.providers)} is known here"


def bill(planned: Sequence[Planned], points: Sequence[Point], costs: Mapping[str, Estimate]) -> Bill:
    """Return the bill of a plan."""
    own = owners(points)
    paid = [one for one in planned if costs[one.action.id].cost_usd != 0]
    asked = [(one, asked_as(own[one.action.id], one.action).composed.settings) for one in paid]
    providers = [(said.of_judge if one.action.kind is JUDGE else said).provider for one, said in asked]
    jobs = [one for one in paid if one.action.kind.name == "job"]
    return Bill(
        n_jobs=len(jobs),
        n_answers=len(paid) - len(jobs),
        total=total(costs.values()),
        providers=tuple(dict.fromkeys(each.title for each in providers)),
        as_of=tuple(dict.fromkeys(each.prices.as_of for each in providers if each.prices is not None)),
    )
