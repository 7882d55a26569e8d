"""What a report is made of.

Owns the shape of a report's input: plain JSON values, so that it can be kept in the store and drawn
again. Knows nothing of where the values come from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ReportInput:
    """One finished run as plain JSON values.

    `results`: results.json of the comparison: arms, metrics, goal, ending, verdict.
    `examples`: every test example with `id, input, target, group, slices, path, line, answers, scores,
    detail`; the last three by arm. The detail of a facts metric is `{kept, lost, invented}`, that
    of a style rule the offending snippets.
    `dataset`: `digest, counts, groups, sources, dropped, n_tokens, samples`; the `n` of a source of passages is None.
    `training`: `job_id, model, base_model, status, hyperparameters, asked, trained_tokens, seed, steps,
    checkpoints, chosen`; None when nothing was trained.
    `actions`: `{label, status, seconds}` in the order they ran.
    `run`: `experiment, description, command, commit, dirty, started_at, run_id, settings_lines, provider,
    cost_usd, seconds, path`; `path` is the run's folder as the user would type it, `cost_usd` None
    is "unknown".
    `arms`: of each arm `about`, what it is, and `usage`, what an answer took: `n, seconds, seconds_95, tokens_read,
    tokens_written, usd, as_of`, None where no model was asked; `at_once` requests were under way at most.
    `retrieval`: which passages the prompts have and how often the search finds the right one; None without any.
    `sweep`: of the winner of a sweep `looks, verdict, p` among all of them, and `confirmed`, the results on examples
    that nobody had looked at; None for every other run.
    `round`: of a round after another `run`, whose misses were read, None where nobody says it, and in `jobs` what its
    job and the one before took, `trained_tokens, cost_usd` by the experiment; None of a first round.
    `caveat`: what this kind of model cannot be trusted with, in a sentence or two; None to say nothing.
    """

    results: Mapping[str, Any]
    examples: Sequence[Mapping[str, Any]]
    dataset: Mapping[str, Any]
    training: Mapping[str, Any] | None
    actions: Sequence[Mapping[str, Any]]
    run: Mapping[str, Any]
    arms: Mapping[str, Mapping[str, Any]]
    at_once: int
    retrieval: Mapping[str, Any] | None = None
    caveat: str | None = None
    sweep: Mapping[str, Any] | None = None
    round: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form kept in the store."""
        value = {"schema_version": 1, **asdict(self)}
        return {name: each for name, each in value.items() if each is not None or name not in ("sweep", "round")}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ReportInput":
        """Return the input that `to_json` wrote."""
        return cls(
            results=value["results"],
            examples=value["examples"],
            dataset=value["dataset"],
            training=value["training"],
            actions=value["actions"],
            run=value["run"],
            arms=value["arms"],
            at_once=value["at_once"],
            retrieval=value["retrieval"],
            caveat=value["caveat"],
            sweep=value.get("sweep"),
            round=value.get("round"),
        )
