"""A loser's untrained part at real prices: reserved in full at launch, given back once, by the next look at latest."""

import json
import time
from pathlib import Path

import pytest
from embedded_fixture import running
from hosted_fixture import profile
from project_fixture import Ended, Project
from rehearsal_fixture import with_conf
from test_embedded_faults import rehearsing
from test_end_to_end_halving import CONF

from ftbuild.ledger.budget import LINES
from ftbuild.providers.embedded import set_faults

pytestmark = pytest.mark.slow

CUT = """\
# Ours.   ftbuild +experiment=tone_formal sweep=cut
grid:
  method.hyperparameters.learning_rate_multiplier: [0.5, 1]
halving:
  rungs: {checkpoints: [1]}
  keep: 0.5
"""
ASKED = (
    *("+experiment=tone_formal", "evaluation=ours", "goal=ours", "sweep=cut", "provider=elsewhere", "model=hosted"),
    *("model.id=tiny", "dataset.limit=40", "dataset.split.validation=0.1", "method.hyperparameters.n_epochs=4"),
)


def test_whatever_looks_at_a_cancelled_job_next_gives_back_what_a_killed_sweep_did_not(
    project: Project, tmp_path: Path, cache: Path
) -> None:
    with running(tmp_path / "theirs", cache, engine="scripted") as server:
        set_faults(server.state, rehearsing({"slow_epochs": 3}), time.time())
        own = profile(base_url=str(server.client.base_url), bills_trained=True)
        with with_conf(project, {**CONF, "sweep/cut.yaml": CUT, "provider/elsewhere.yaml": own}):
            path = project.store().folder / "ledger" / LINES

            def run(*words: str) -> Ended:
                return project.run(*words, ELSEWHERE_KEY=server.client.api_key)

            ended = run(*ASKED, "--yes", "budget.usd=1")
            assert ended.code == 0, ended.err
            lines = path.read_text().splitlines(keepends=True)
            [settled] = [each for each in lines if json.loads(each)["event"] == "settled"]
            [loser] = [job.id for job in server.client.fine_tuning.jobs.list() if job.status == "cancelled"]
            told = [each.data for each in server.client.fine_tuning.jobs.list_events(loser) if each.type == "metrics"]
            step, n_steps = (max(each[name] for each in told) for name in ("step", "total_steps"))  # type: ignore[index]
            said = json.loads(settled)
            reserved = next(each for each in map(json.loads, lines) if each["name"] == said["name"])
            assert 0 < step < n_steps
            assert said["usd"] == pytest.approx(reserved["usd"] * step / n_steps, abs=1e-6)

            for words in (("jobs",), ("watch", loser), (*ASKED, "--yes", "budget.usd=1")):
                path.write_text("".join(each for each in lines if each != settled))  # as a kill leaves it
                run(*words)
                again = [json.loads(each) for each in path.read_text().splitlines()]
                assert [(each["name"], each["usd"]) for each in again if each["event"] == "settled"] == [
                    (said["name"], said["usd"])
                ]
            assert len(server.client.fine_tuning.jobs.list().data) == 2
