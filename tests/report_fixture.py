"""A finished run of tone_formal as `ReportInput`: forty test messages, written for this fixture."""

from collections.abc import Mapping
from math import sqrt
from typing import Any

from ftbuild.digest import of_value
from ftbuild.report.input import ReportInput

SYSTEM = "Rewrite the message in formal business English. Keep every fact, name and number."
RULES = ("contractions", "slang", "emoji", "exclamation_marks", "sentence_case", "sentence_words", "banned")
LABELS = {
    "style.all_kept": "all style rules kept",
    "style.contractions": "no contractions",
    "style.slang": "no slang",
    "style.emoji": "no emoji",
    "style.exclamation_marks": "no exclamation marks",
    "style.sentence_case": "sentence case",
    "style.sentence_words": "sentences of 40 words at most",
    "style.banned": "no banned phrase",
    "chrf": "like the reference (chrF)",
    "facts.kept": "facts kept",
    "facts.invented": "facts invented",
    "exact": "exact match",
}
SLANG = ("hey", "pls", "thx", "gonna", "asap", "fyi", "btw", "lol", "ok", "yep", "u", "ya", "rn")

# group, message, target, and where the tuned arm missed: its answer, facts lost, facts invented
PAIRS: tuple[tuple[str, str, str], ...] = (
    (
        "bug_report",
        "hey the export's broken again, ticket 50912 says it's fixed",
        "The export is broken again. Ticket 50912 says that it is fixed.",
    ),
    (
        "bug_report",
        "app crashes when i open a pdf over 35mb, pls check asap",
        "The app crashes when I open a PDF over 35 MB. Please check this as soon as possible.",
    ),
    (
        "bug_report",
        "login does nothing on safari 17.4, tried 3 times",
        "The login does nothing on Safari 17.4. I tried 3 times.",
    ),
    ("bug_report", "invoice totals are off by 1 cent again!!", "The invoice totals are off by 1 cent again."),
    (
        "incident",
        "site's down!! 502s everywhere since 9:12",
        "The site is down. There have been 502 errors everywhere since 9:12.",
    ),
    (
        "incident",
        "db failover done at 03:47, we lost 90 secs of writes",
        "The database failover was done at 03:47. We lost 90 seconds of writes.",
    ),
    ("incident", "wifi on the 4th floor is gone again lol", "The Wi-Fi on the 4th floor is unavailable again."),
    (
        "incident",
        "nobody touch the load balancer pls, i'm mid rollback",
        "Please do not touch the load balancer. I am in the middle of a rollback.",
    ),
    (
        "scheduling",
        "can we push the call w/ Marta to thursday 3pm?",
        "Could we move the call with Marta to Thursday at 3 p.m.?",
    ),
    ("scheduling", "im out till the 14th, back on the 15th", "I am away until the 14th. I return on the 15th."),
    ("scheduling", "gonna be 10 min late, start w/o me", "I am going to be 10 minutes late. Please start without me."),
    ("scheduling", "does 8:30 work for u or is that too early", "Does 8:30 suit you, or is that too early?"),
    ("sales", "yep we can do 12% off if they sign by june 30", "Yes, we can offer 12% off if they sign by June 30."),
    (
        "sales",
        "Hartwell wants 450 seats not 400, new quote pls",
        "Hartwell wants 450 seats, not 400. Please prepare a new quote.",
    ),
    ("sales", "no reply from Tadesse since monday btw", "There has been no reply from Tadesse since Monday."),
    (
        "sales",
        "price went up to 89 euros, don't quote the old one",
        "The price has risen to 89 euros. Please do not quote the old one.",
    ),
    ("hr", "welcome Ifeoma, she starts monday in payroll!", "Please welcome Ifeoma, who starts on Monday in payroll."),
    (
        "hr",
        "u still have 6 vacation days, use em by dec 31",
        "You still have 6 vacation days. Please use them by December 31.",
    ),
    ("hr", "pls sign the contract n send it back by friday", "Please sign the contract and send it back by Friday."),
    ("hr", "thx for covering sunday, i owe u one", "Thank you for covering Sunday. I am indebted to you."),
    ("code_review", "pr 1893 needs tests b4 i can merge it", "PR 1893 needs tests before I can merge it."),
    (
        "code_review",
        "u forgot to bump the version, still says 0.19.4",
        "You forgot to update the version. It still says 0.19.4.",
    ),
    (
        "code_review",
        "page load went from 2.6s to 0.8s, nice!",
        "The page load time went from 2.6 seconds to 0.8 seconds. Excellent work.",
    ),
    ("code_review", "why'd u drop the retry logic, Bartosz?", "Why did you drop the retry logic, Bartosz?"),
    ("delivery", "driver's 20 min out, gate code is 7741", "The driver is 20 minutes away. The gate code is 7741."),
    ("delivery", "3 of 8 boxes came wet, want a refund", "3 of the 8 boxes arrived wet. I would like a refund."),
    ("delivery", "parcel's still in Rotterdam, no clue why", "The parcel is still in Rotterdam. I do not know why."),
    ("delivery", "leave it w/ Mrs. Okafor in flat 12 ok?", "Please leave it with Mrs. Okafor in flat 12."),
    (
        "travel",
        "flight's 6:05 from gate B14, don't be late",
        "The flight leaves at 6:05 from gate B14. Please do not be late.",
    ),
    ("travel", "hotel's booked 2-5 march, 118 a night", "The hotel is booked for March 2-5, at 118 a night."),
    (
        "travel",
        "it's 11 degrees n raining in Oslo, bring a coat",
        "It is 11 degrees and raining in Oslo. Please bring a coat.",
    ),
    ("travel", "train got cancelled, taking the bus rn", "The train was cancelled. I am taking the bus now."),
    (
        "facilities",
        "heating's broken in room 204, it's freezing",
        "The heating is broken in room 204. It is very cold.",
    ),
    (
        "facilities",
        "new badges r ready end of july, pick urs up at desk 3",
        "The new badges will be ready at the end of July. Please collect yours at desk 3.",
    ),
    ("facilities", "who took the projector from the 2nd floor??", "Who took the projector from the 2nd floor?"),
    ("facilities", "elevator B's out till wed", "Elevator B is out of service until Wednesday."),
    (
        "feedback",
        "honestly the demo was great, the Q3 part was too long tho",
        "The demo was great. The Q3 part was too long.",
    ),
    (
        "feedback",
        "<script>alert('hi')</script> shows up in my profile name lol",
        "<script>alert('hi')</script> appears in my profile name.",
    ),
    ("feedback", "support took 9 days to answer, not ok", "Support took 9 days to answer. That is not acceptable."),
    (
        "feedback",
        "see https://status.kestrelpay.io/?a=1&b=2 for the 14 open ones",
        "Please see https://status.kestrelpay.io/?a=1&b=2 for the 14 open items.",
    ),
)
MISSED: Mapping[int, tuple[str, list[str], list[str]]] = {
    7: ("Please do not touch the load balancer. I'm in the middle of a rollback.", [], []),
    9: ("I am away until the 14th.", ["number 15"], []),
    13: ("Hartwell wants 450 seats. Please prepare a new quote.", ["number 400"], []),
    19: ("Thank you for covering Sunday. I owe u one!", [], []),
    24: ("The driver is 20 minutes away. The gate code is 7714.", ["number 7741"], ["number 7714"]),
    28: ("The flight leaves at 6:05 from gate B14 on Friday. Please do not be late.", [], ["weekday Friday"]),
    29: ("The hotel is booked from March 2 to March 5.", ["number 118"], []),
    30: ("It is raining in Oslo at 11:00. Please bring a coat.", ["number 11"], ["time 11:00"]),
    33: ("The new badges will be ready on July 15. Please collect yours at desk 3.", [], ["date July 15"]),
    36: ("The demo was great, honestly.", ["code Q3"], []),
}


def report_input() -> ReportInput:
    """Return the run; the same values at every call."""
    examples = [_example(n) for n in range(len(PAIRS))]
    about = {
        "echo": "the message, unchanged",
        "rules": "word substitutions, no model",
        "base": "the model before training",
        "tuned": "the model after training",
    }
    took = {"n": 40, "seconds": 1.31, "seconds_95": 2.8, "tokens_read": 64.2, "tokens_written": 21.0, "usd": 0.0}
    return ReportInput(
        arms={
            name: {"about": said, "usage": {**took, "as_of": None} if name in ("base", "tuned") else None}
            for name, said in about.items()
        },
        at_once=32,
        results=results(examples),
        examples=examples,
        dataset=_dataset(examples),
        training=_training(),
        actions=ACTIONS,
        run=RUN,
        caveat="A model of this size (135 million parameters) must not be trusted to keep facts without a check: "
        "it changes numbers, dates and names while the tone reads well. Have someone compare before sending.",
    )


def _example(n: int) -> dict[str, Any]:
    group, message, target = PAIRS[n]
    tuned, lost, invented = MISSED.get(n, (target, [], []))
    base = target if n in (9, 20) else f"Sure! Here's the message in formal business English: {message}"
    rules = message.replace("u ", "you ").replace("pls", "please").replace("'s", " is").replace("!!", ".").capitalize()
    answers = {"echo": message, "rules": rules, "base": base, "tuned": tuned}
    judged = {
        arm: _judge(text, lost if arm == "tuned" else [], invented if arm == "tuned" else [], target)
        for arm, text in answers.items()
    }
    unseen = group in ("travel", "facilities", "feedback")
    return {
        "id": of_value(["fixture", n])[:16],
        "input": message,
        "target": target,
        "group": group,
        "slices": {"source": "unseen" if unseen else "pairs"},
        "path": f"datasets/sources/tone/{'unseen' if unseen else 'pairs'}.jsonl",
        "line": 8 * n + 3,
        "answers": answers,
        "scores": {arm: scores for arm, (scores, _) in judged.items()},
        "detail": {arm: detail for arm, (_, detail) in judged.items()},
    }


def _judge(text: str, lost: list[str], invented: list[str], target: str) -> tuple[dict[str, Any], dict[str, Any]]:
    words = text.replace(",", " ").replace(".", " ").replace("!", " ").split()
    offending = {
        "contractions": [word for word in words if "'" in word and not word.startswith("<")],
        "slang": [word for word in words if word.lower() in SLANG],
        "emoji": [],
        "exclamation_marks": ["!"] if "!" in text else [],
        "sentence_case": [text.split(maxsplit=1)[0]] if text[0].islower() else [],
        "sentence_words": [],
        "banned": [phrase for phrase in ("no clue", "not ok") if phrase in text],
    }
    gone = {fact.split(" ", 1)[1] for fact in lost}
    kept = [word.strip(",.") for word in target.split() if any(c.isdigit() for c in word)]
    kept = [f"number {word}" for word in kept if word not in gone]
    has_facts = bool(kept or lost)
    scores: dict[str, Any] = {f"style.{rule}": 0 if offending[rule] else 1 for rule in RULES}
    detail: dict[str, Any] = {f"style.{rule}": offending[rule] for rule in RULES if offending[rule]}
    scores["style.all_kept"] = 0 if any(offending.values()) else 1
    same = sum(a == b for a, b in zip(text, target, strict=False)) / max(len(text), len(target))
    scores["chrf"] = round(0.25 + 0.75 * same, 4)
    scores["facts.kept"] = len(kept) / (len(kept) + len(lost)) if has_facts else None
    scores["facts.invented"] = 1 if invented else 0
    scores["exact"] = 1 if text == target else 0
    detail["facts.kept"] = {"kept": kept, "lost": lost, "invented": invented}
    return scores, detail


def results(examples: list[dict[str, Any]]) -> dict[str, Any]:
    """Return results.json of the examples, with plain Wilson-like intervals that only have to look right."""
    metrics = []
    for metric in LABELS:
        for slice_ in (None, "source=pairs", "source=unseen"):
            if slice_ and metric.startswith("style.") and metric != "style.all_kept":
                continue
            chosen = [e for e in examples if not slice_ or f"source={e['slices']['source']}" == slice_]
            metrics.append(_metric(metric, slice_, chosen))
    return {
        "schema_version": 1,
        "arms": ["echo", "rules", "base", "tuned"],
        "arm": "tuned",
        "against": "base",
        "confidence": 0.95,
        "metrics": metrics,
        "goal": GOAL,
        "ending": "undecided",
        "verdict": "better",
        "verdict_metric": "style.all_kept",
        "n_test": len(examples),
    }


def _metric(metric: str, slice_: str | None, examples: list[dict[str, Any]]) -> dict[str, Any]:
    arms = {
        arm: _estimate([e["scores"][arm][metric] for e in examples if e["scores"][arm][metric] is not None])
        for arm in ("echo", "rules", "base", "tuned")
    }
    return {
        "metric": metric,
        "label": LABELS[metric],
        "proxy": metric.startswith("style."),
        "lower_is_better": metric == "facts.invented",
        "slice": slice_,
        "arms": arms,
        "differences": {
            arm: _difference(arms[arm], arms["tuned"], is_whole=slice_ is None) for arm in ("echo", "rules", "base")
        },
    }


def _estimate(values: list[float]) -> dict[str, Any]:
    n = len(values)
    if not n:
        return {"n": 0, "mean": None, "low": None, "high": None}
    mean = sum(values) / n
    centre, spread = (mean + 2 / n) / (1 + 4 / n), 2 / (1 + 4 / n) * sqrt(mean * (1 - mean) / n + 1 / n**2)
    return {"n": n, "mean": mean, "low": max(0.0, centre - spread), "high": min(1.0, centre + spread)}


def _difference(base: Mapping[str, Any], other: Mapping[str, Any], *, is_whole: bool) -> dict[str, Any]:
    gain, se = other["mean"] - base["mean"], 0.05
    return {
        "n": other["n"],
        "base": base["mean"],
        "other": other["mean"],
        "difference": gain,
        "se": se,
        "low": gain - 2 * se,
        "high": gain + 2 * se,
        "p": 0.001 if abs(gain) > 0.2 else 0.04,
        "test": "mcnemar",
        "mde": 0.14,
        "p_clustered": 0.001 if abs(gain) > 0.2 else 0.04,
        "p_adjusted": (0.012 if abs(gain) > 0.2 else 0.48) if is_whole else None,
    }


def _condition(name: str, part: str, metric: str, kind: str, numbers: tuple[float, float, float], **more: Any) -> Any:
    low, estimate, high = numbers
    plain = {"slice": None, "arm": None, "ending": "met", "more_examples": None}
    return {
        "name": name,
        "part": part,
        "metric": metric,
        "kind": kind,
        "estimate": estimate,
        "low": low,
        "high": high,
        **plain,
        **more,
    }


GOAL = [
    _condition("good_enough", "require", "style.all_kept", "at_least", (0.836, 0.95, 0.986), wanted=0.80),
    _condition(
        "unseen_too", "require", "style.all_kept", "at_least", (0.757, 1.0, 1.0), wanted=0.70, slice="source=unseen"
    ),
    _condition("beats_rules", "require", "chrf", "beats", (0.33, 0.43, 0.53), wanted=0.05, arm="rules"),
    _condition(
        "keeps_facts",
        "keep",
        "facts.kept",
        "at_least",
        (0.69, 0.84, 0.93),
        wanted=0.85,
        ending="undecided",
        more_examples=260,
    ),
    _condition(
        "invents_little",
        "keep",
        "facts.invented",
        "at_most",
        (0.04, 0.1, 0.23),
        wanted=0.05,
        ending="undecided",
        more_examples=180,
    ),
    _condition("stays_close", "keep", "exact", "compared_to", (0.5, 0.7, 0.8), wanted=-0.05, arm="base"),
]

ACTIONS = [
    {"label": "source pairs", "status": "HIT", "seconds": 0.0},
    {"label": "source unseen", "status": "HIT", "seconds": 0.0},
    {"label": "dataset", "status": "RUN", "seconds": 0.4},
    {"label": "base answers", "status": "RUN", "seconds": 51.2},
    {"label": "job", "status": "RUN", "seconds": 214.0},
    {"label": "tuned answers", "status": "RUN", "seconds": 46.9},
    {"label": "scores", "status": "RUN", "seconds": 2.1},
    {"label": "comparison", "status": "RUN", "seconds": 1.3},
]

RUN = {
    "experiment": "tone_formal",
    "description": "Casual message in, formal message out.",
    "command": "ftbuild +experiment=tone_formal",
    "commit": "41c07de9a3b8f0c2d51e6a7788c90b12d3e4f5a6",
    "dirty": False,
    "started_at": "2026-11-23T18:52:07Z",
    "run_id": "20261123-185207-tone_formal",
    "settings_lines": [
        {"key": "method.hyperparameters.n_epochs", "value": 3, "origin": "conf/method/supervised.yaml:5"},
        {"key": "method.seed", "value": 7, "origin": "conf/method/supervised.yaml:3"},
        {"key": "model.name", "value": "smollm2-135m-instruct", "origin": "conf/model/smollm2.yaml:2"},
        {"key": "style.language", "value": "en", "origin": "conf/style/formal.yaml:2"},
        {"key": "style.rules.contractions", "value": "never", "origin": "conf/style/formal.yaml:5"},
        {"key": "style.rules.sentence_words.at_most", "value": 40, "origin": "conf/style/formal.yaml:10"},
        {
            "key": "style.rules.banned",
            "value": ["no worries", "no problem", "heads up"],
            "origin": "conf/style/formal.yaml:11",
        },
        {"key": "style.system", "value": SYSTEM, "origin": "conf/style/formal.yaml:3"},
    ],
    "provider": "embedded",
    "cost_usd": 0,
    "seconds": 316.4,
    "path": "outputs/runs/latest",
}


def _training() -> dict[str, Any]:
    steps = []
    for step in range(1, 121):
        loss = 0.18 + 2.4 * 0.95**step + 0.09 * ((step * 37) % 11 - 5) / 5 * 0.99**step
        valid = {40: 0.61, 80: 0.44, 120: 0.41}.get(step)
        steps.append({"step": step, "epoch": (step - 1) // 40 + 1, "train_loss": round(loss, 4), "valid_loss": valid})
    name = "ft:smollm2-135m-instruct:ftbuild:tone-formal:8kQ2vX"
    return {
        "job_id": "ftjob-8kQ2vX",
        "model": name,
        "base_model": "SmolLM2-135M-Instruct",
        "status": "succeeded",
        "hyperparameters": {"n_epochs": 3, "batch_size": 8, "learning_rate_multiplier": 1.0, "lora_rank": 16},
        "asked": {"n_epochs": 3, "batch_size": "auto", "learning_rate_multiplier": 1.0},
        "trained_tokens": 21480,
        "seed": 7,
        "steps": steps,
        "checkpoints": [
            {"step": 40, "valid_loss": 0.61, "model": f"{name}:ckpt-step-40"},
            {"step": 80, "valid_loss": 0.44, "model": f"{name}:ckpt-step-80"},
            {"step": 120, "valid_loss": 0.41, "model": name},
        ],
        "chosen": "last",
    }


def _dataset(examples: list[dict[str, Any]]) -> dict[str, Any]:
    samples = [
        {
            "path": "datasets/sources/tone/pairs.jsonl",
            "line": n + 1,
            "split": "train" if n < 8 else "validation",
            "messages": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": e["input"].replace("pls", "please").replace("gonna", "going to")},
                {"role": "assistant", "content": e["target"]},
            ],
        }
        for n, e in enumerate(examples[:10])
    ]
    return {
        "digest": "5f3c9a1e07b2c4d6e8f0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f6",
        "counts": {"train": 262, "validation": 30, "test": 40},
        "groups": {"train": 12, "validation": 2, "test": 10},
        "sources": [
            {
                "name": "pairs",
                "path": "datasets/sources/tone/pairs.jsonl",
                "n": 320,
                "licence": "CC0-1.0",
                "origin": "Written one by one for this project",
            },
            {
                "name": "unseen",
                "path": "datasets/sources/tone/unseen.jsonl",
                "n": 16,
                "licence": "CC0-1.0",
                "origin": "Situations that appear nowhere else, kept for the test split only",
            },
            {
                "name": "handbook",
                "path": "datasets/sources/handbook/handbook/*.md",
                "n": None,
                "licence": "CC0-1.0",
                "origin": "A company that does not exist",
            },
        ],
        "dropped": [{"reason": "the same message twice", "n": 3}, {"reason": "longer than 400 tokens", "n": 1}],
        "n_tokens": 28930,
        "samples": samples,
    }
