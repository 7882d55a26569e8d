"""Between the free part of a build and the paid one: what refuses, what asks, what is reserved; nothing is sent before.

The provider is a file of the project's own conf/ and a loopback server that remembers what it was asked.
"""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from config_fixture import Ended, Own
from elsewhere_fixture import HERE, JOBS, MODEL, PAID, as_new, built_in, changed, dear, elsewhere, ledger
from hosted_fixture import AT_ELSEWHERE, KEY, PROFILE
from stub_server import Stub, job, listed, refusal

from ftbuild.cli.build import composed_of, world_of
from ftbuild.cli.options import parse
from ftbuild.cli.smoke import smoke_overrides
from ftbuild.errors import ConfigError, DataError
from ftbuild.ledger.budget import LINES, Reservations
from ftbuild.ledger.journal import Asked as AskedFor
from ftbuild.lookup import LedgerFolder, Planned, look_up
from ftbuild.outcome import Build
from ftbuild.paying import Consent, Gate
from ftbuild.plan.action import JOB
from ftbuild.plan.estimate import NOTHING
from ftbuild.points import one_graph
from ftbuild.store.locks import KeyLock
from ftbuild.store.store import Store

FILE = {"id": "file-1", "object": "file", "bytes": 1, "created_at": 1, "filename": "f", "purpose": "fine-tune"}
FILE |= {"status": "processed"}
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "Indeed."}, "finish_reason": "stop"}
COMPLETION = {"id": "c", "object": "chat.completion", "created": 1, "model": "tiny", "choices": [CHOICE]}
CHATS = """
defaults:
  - override /goal: closer
  - override /evaluation: answers
  - override /style: plain
dataset:
  sources:
    chats: {kind: chat_jsonl, path: chats.jsonl, licence: CC0-1.0, origin: written here}
"""
ANSWERING: dict[str, list[Any]] = {
    "POST /files": [(200, FILE)],
    "GET /files/file-1": [(200, FILE)],
    "POST /chat/completions": [(200, COMPLETION)],
}
AMOUNTS = """
# Ours.   ftbuild +experiment=tone_formal sweep=amounts
grid: {seed: [1, 2]}
halving:
  rungs: {dataset.limit: [42, 44]}
  keep: 0.5
"""
HANGS_SECONDS = 120  # a guard against a hang, not a limit


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Own:
    return built_in(tmp_path_factory.mktemp("project"))


@pytest.fixture
def server() -> Iterator[Stub]:
    with elsewhere() as served:
        yield served


@pytest.fixture
def own(built: Own, server: Stub, monkeypatch: pytest.MonkeyPatch) -> Own:
    monkeypatch.setenv("ELSEWHERE_KEY", KEY)
    as_new(built, server)
    return built


def refused(own: Own, server: Stub, *more: str) -> str:
    """Return what a build says that is refused before anything is sent: its list of jobs is looked at, no more."""
    ended = own.run(*AT_ELSEWHERE, *more)
    assert (ended.code, ended.out) == (2, "")
    assert {each.path for each in server.asked} <= {JOBS}
    assert {each.method for each in server.asked} <= {"GET"}
    assert KEY not in ended.err
    return ended.err


def test_without_a_terminal_nobody_pays_by_accident(own: Own, server: Stub) -> None:
    said = refused(own, server)
    assert re.fullmatch(
        rf"command line: {PAID}, to be paid to elsewhere, and no terminal to ask at\n"
        r"    Nothing was sent\.\n    Fix: add --yes, or rehearse it for nothing: provider\.rehearsed=true\n",
        said,
    )
    assert not (ledger(own) / LINES).exists()


def test_max_cost_refuses_what_costs_more(own: Own, server: Stub) -> None:
    changed(own, server, models=dear(100_000.0))
    said = refused(own, server, "--yes", "--max-cost", "0.50")
    assert re.match(r"command line: one paid job, about \$\d+\.\d\d in all .*: more than --max-cost 0\.5\n", said)


def test_max_cost_is_for_all_rungs_of_a_halving_together(own: Own, server: Stub) -> None:
    changed(own, server, models=dear(100_000.0))
    asked = ("sweep=halving", "dataset.limit=60")
    assert own.run("dataset", *AT_ELSEWHERE, *asked).code == 0
    planned = own.run("plan", *AT_ELSEWHERE, *asked)
    found = re.search(r"built in full and\s+tested:\s+about\s+\$([\d,.]+) at\s+most", planned.out)
    first = re.search(r"6 paid\s+jobs,\s+about\s+\$([\d,.]+)\s+in\s+all", planned.out)
    assert found is not None
    assert first is not None
    later, now = (float(each[1].replace(",", "")) for each in (found, first))
    server.asked.clear()
    said = refused(own, server, *asked, "--yes", "--max-cost", f"{now + later / 2:.2f}")
    most = re.match(r"command line: about \$([\d,.]+) at most with what may follow: more than --max-cost ", said)
    assert most is not None
    assert float(most[1].replace(",", "")) == pytest.approx(now + later, abs=0.02)
    said = refused(own, server, *asked, "--yes", f"budget.usd={now + later / 2:.2f}")
    found = re.match(
        r"budget\.usd: about \$([\d,.]+) at most with what may follow, and the budget is \$[\d,.]+\n", said
    )
    assert found is not None
    assert found[1] == most[1]


def test_where_rungs_are_amounts_of_data_all_of_it_is_built_before_anything_is_paid(own: Own, server: Stub) -> None:
    """What the last rung costs is not known before."""
    changed(own, server, models=dear(100_000.0))
    own.write("conf/sweep/amounts.yaml", AMOUNTS)
    planned = " ".join(own.run("plan", *AT_ELSEWHERE, "sweep=amounts").out.split())
    assert "with limit=44, built in full and tested: cost unknown" in planned
    server.asked.clear()
    said = refused(own, server, "sweep=amounts", "--yes", "budget.usd=1").splitlines()
    form = r"budget\.usd: about \$\d+\.\d\d at most with what may follow, and the budget is \$1\.00"
    assert any(re.fullmatch(form, line) for line in said)
    planned = " ".join(own.run("plan", *AT_ELSEWHERE, "sweep=amounts").out.split())
    assert re.search(r"with limit=44, built in full and tested: about \$\d+\.\d\d at most", planned)


@pytest.mark.parametrize("unknown", [{"prices": None}, {"models": None}, {"models": {"tiny": {"id": "tiny"}}}])
def test_what_nobody_knows_the_price_of_is_within_no_limit(own: Own, server: Stub, unknown: dict[str, Any]) -> None:
    changed(own, server, **unknown)
    said = refused(own, server, "--yes", "--max-cost", "1000")
    assert "cost unknown: no price of elsewhere is known here: unknown is not within --max-cost 1000\n" in said
    assert "cost unknown" in refused(own, server, "--yes", "budget.usd=1000")


def test_the_budget_counts_what_others_have_reserved(own: Own, server: Stub) -> None:
    changed(own, server, models=dear(1000.0))
    Reservations(ledger(own)).reserve({"another job": 9.0}, 10.0, 1.0)
    said = refused(own, server, "--yes", "budget.usd=10")
    assert "$9.00 are spent or reserved already, and the budget is $10.00\n" in said
    assert Reservations(ledger(own)).standing() == {"another job": 9.0}


def test_what_this_plan_has_spent_before_counts_before_anybody_is_asked(own: Own, server: Stub) -> None:
    """The job is there; its answers are more than is left beside it."""
    changed(own, server, models=dear(1000.0))
    found = AtGate(own)
    asked = AskedFor((*AT_ELSEWHERE,), "tone_formal")
    known = found.ledger.journal(str(found.job().key))
    Reservations(ledger(own)).reserve({found.job().action.id: 9.0}, 10.0, 1.0)
    try:
        known.append(1.0, "launched", job_id="ftjob-1", **asked.to_json())
        assert "$9.00 are spent or reserved already" in refused(own, server, "budget.usd=9")
    finally:
        journal(found).unlink()


def test_a_missing_key_is_named_before_anything_runs(own: Own, server: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ELSEWHERE_KEY")
    assert refused(own, server, "--yes") == (
        "ELSEWHERE_KEY: holds no key\n"
        "    Fix: export ELSEWHERE_KEY=..., or name another variable: provider.api_key_env=NAME\n"
    )


def test_a_model_that_is_not_in_the_table_is_refused_with_its_place(own: Own, server: Stub) -> None:
    changed(own, server, models={"other": {"id": "other"}})
    said = refused(own, server, "--yes").splitlines()
    assert said[:2] == [
        "command line: model.id: elsewhere cannot tune 'tiny'",
        "    It tunes model=other. Nothing has run, and nothing was sent to it.",
    ]


def test_a_past_end_refuses_and_names_where_it_is_written(own: Own, server: Stub) -> None:
    changed(own, server, ends={"new_jobs": "2001-01-01", "source": "their page"})
    said = refused(own, server, "--yes").splitlines()
    text = (own.folder / "conf/provider/elsewhere.yaml").read_text(encoding="utf-8").splitlines()
    assert said[0] == (
        f"conf/provider/elsewhere.yaml:{text.index('ends:') + 2}: provider.ends.new_jobs: "
        "elsewhere takes no new jobs after 2001-01-01, which is past"
    )
    assert said[2].startswith("    Fix: provider=azure")


def test_a_model_that_their_list_says_is_gone_is_refused_before_the_first_upload(own: Own, server: Stub) -> None:
    server.answers[f"GET {MODEL}"] = [(200, HERE | {"shutdown_date": "2001-01-01"})]
    ended = own.run(*AT_ELSEWHERE, "--yes")
    assert (ended.code, [each.path for each in server.asked]) == (2, [JOBS, MODEL])
    assert "model.id: elsewhere shuts tiny down on 2001-01-01, which is past\n" in ended.err


def test_files_are_checked_by_the_rules_of_the_profile_before_they_are_sent(own: Own, server: Stub) -> None:
    changed(own, server, rules="openai", limits={"min_examples": 500, "max_examples": 5, "file_bytes": 100})
    ended = own.run(*AT_ELSEWHERE, "--yes")
    assert (ended.code, server.asked) == (1, [])
    for said in ("elsewhere takes 100\n", "elsewhere takes 5\n", "examples, at least 500 are needed\n"):
        assert said in ended.err


def test_every_file_of_a_sweep_is_checked(own: Own, server: Stub) -> None:
    changed(own, server, limits={"max_examples": 20})
    ended = own.run(*AT_ELSEWHERE, "--yes", "-m", "dataset.limit=20,40")
    assert (ended.code, server.asked) == (1, [])
    assert ended.err.count("elsewhere takes 20\n") == 1


def chat(number: int, **more: Any) -> str:
    messages = [{"role": "user", "content": f"Say {number}."}, {"role": "assistant", "content": f"It is {number}."}]
    return json.dumps({"messages": messages, **more})


def test_tools_that_lines_bring_along_are_told_and_refused(own: Own, server: Stub) -> None:
    changed(own, server, tools=False)
    parameters = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    tool = {"type": "function", "function": {"name": "say", "description": "Says it.", "parameters": parameters}}
    lines = [chat(number) for number in range(40)] + [chat(number, tools=[tool]) for number in range(40, 43)]
    own.write("chats.jsonl", "\n".join(lines) + "\n")
    own.experiment("chats", CHATS)
    asked = ("+experiment=chats", *AT_ELSEWHERE[1:], "dataset.limit=null")
    assert own.run("dataset", *asked).code == 0
    said = (
        "chats lines: 3 of 43 examples offer tools, and elsewhere takes none\n"
        "    The model would learn calls that nobody could ask it for, and requests with tools are refused.\n"
        "    Fix: provider=azure (whether it tunes tiny is not known here)"
    )
    plan = own.run("plan", *asked)
    assert (plan.code, said in plan.out) == (2, True)
    ended = own.run(*asked, "--yes")
    assert (ended.code, ended.err.startswith(said)) == (1, True)
    assert {each.method for each in server.asked} == {"GET"}


def test_an_absolute_rate_is_not_guessed_from_a_multiplier(own: Own, server: Stub) -> None:
    changed(own, server, hyperparameters={"learning_rate_multiplier": {"name": "learning_rate", "absolute": True}})
    said = refused(own, server, "--yes", "method.hyperparameters.learning_rate_multiplier=2")
    assert "elsewhere takes an absolute learning_rate, no multiplier\n" in said


def test_what_was_agreed_to_and_never_asked_for_is_given_back(own: Own, server: Stub) -> None:
    """The answers of the base model are refused, so the job is never asked for: what it would cost is free again."""
    ended = own.run(*AT_ELSEWHERE, "--yes", "budget.usd=100")
    assert (ended.code, "no room today" in ended.err) == (4, True)
    lines = [json.loads(line) for line in (ledger(own) / LINES).read_text().splitlines()]
    assert [each["event"] for each in lines] == ["reserved"] * 3 + ["released"] * 2
    assert len(Reservations(ledger(own)).standing()) == 1  # the answers, of which some may have been paid for
    assert "POST /fine_tuning/jobs" not in [f"{each.method} {each.path}" for each in server.asked]


class AtGate:
    """A build that has come to its gate; `planned` is what is to come, the job first."""

    def __init__(self, own: Own, *more: str, yes: bool = True) -> None:
        with chdir(own.folder):
            options = replace(parse("build", [*AT_ELSEWHERE, *more]), folder=own.folder)
            self.world = world_of(options)
            self.store = Store(self.world.store)
            graph, points = one_graph(composed_of(options), smoke_overrides(options), self.store, smoke=True)
        self.graph, self.ledger = graph, LedgerFolder(self.world)
        self.gate = Gate(graph, points, self.store, self.world, Consent(yes), lambda _: None)

    def passes(self, *failed: str) -> None:
        names = {name: DataError("broken") for name, each in self.graph.actions.items() if each.label in failed}
        self.gate.pass_(Build(self.store, failed=names))

    def job(self) -> Planned:
        planned = look_up(self.graph, self.store, self.ledger)
        return next(one for one in planned if one.action.kind is JOB)

    def standing(self) -> dict[str, float]:
        return Reservations(self.ledger.folder).standing()


def test_what_another_build_is_about_to_launch_stays_reserved(own: Own) -> None:
    """Both have agreed to the same job; the other one still sends its files when this one is stopped."""
    here = AtGate(own)
    here.passes()
    other = KeyLock(here.store.folder, str(here.job().key))
    assert other.acquire()
    here.gate.settle()
    assert len(here.standing()) == 3
    other.release()
    here.gate.settle()
    assert len(here.standing()) == 1


@pytest.mark.parametrize("prices", [PROFILE["prices"], None])
def test_who_comes_back_to_a_job_is_not_asked_for_money_again(own: Own, server: Stub, prices: Any) -> None:
    changed(own, server, prices=prices, models=PROFILE["models"] if prices else None)
    first = AtGate(own)
    first.passes()
    journal, asked = first.ledger.journal(str(first.job().key)), AskedFor((*AT_ELSEWHERE,), "tone_formal")
    try:
        journal.append(1.0, "launched", job_id="ftjob-1", **asked.to_json())
        before = first.standing()
        back = AtGate(own, yes=False)
        back.passes()
        assert back.standing() == before
        job = back.job().action.id
        assert (back.gate.costs[job], back.gate.spent[job].cost_usd) == (NOTHING, first.gate.costs[job].cost_usd)
        back.gate.settle()
        assert back.standing() == before
        (first.ledger.folder / LINES).unlink()
        with pytest.raises(ConfigError, match=r"no paid job.* and no terminal to ask at"):
            back.passes()
    finally:
        (first.ledger.folder / f"{journal.key}.jsonl").unlink()


# --- what is there already, and what is launched once more ---


@pytest.fixture
def here(own: Own) -> Iterator[AtGate]:
    """Give a build at its gate, of which nobody has agreed to anything; its journal goes with the test."""
    found = AtGate(own, yes=False)
    yield found
    journal(found).unlink(missing_ok=True)


def journal(here: AtGate) -> Path:
    return here.ledger.folder / f"{here.job().key}.jsonl"


def at_provider(here: AtGate, server: Stub) -> None:
    """Let the provider have two jobs of the key of which the store knows nothing."""
    mine = {"ftbuild_key": str(here.job().key)}
    told = [job(name, metadata=mine, created_at=at) for at, name in enumerate(("ftjob-9", "ftjob-twin"), 9)]
    server.answers[f"GET {JOBS}"] = [listed(*told)]


def test_a_job_that_is_at_the_provider_is_taken_over_before_anybody_is_asked(
    own: Own, server: Stub, here: AtGate
) -> None:
    """A second clone, or a deleted outputs/: its answers are still paid for, the job is not."""
    at_provider(here, server)
    changed(own, server, models=dear(100_000.0))
    ended = own.run(*AT_ELSEWHERE, "--max-cost", "1")
    assert (ended.code, ended.out) == (2, "")
    told = [line for line in ended.err.splitlines() if not line.endswith(" cached")]
    assert told[0] == (
        "ftjob-twin is another job of the same key and costs money too. Stop it: ftbuild cancel ftjob-twin"
    )
    assert re.search(r"no paid job, under \$0\.\d\d in all .*, and no terminal to ask at", ended.err)
    assert {each.method for each in server.asked} == {"GET"}
    state, action = here.ledger.state(str(here.job().key)), here.job().action.id
    assert (state.job_id, state.adopted, state.others) == ("ftjob-9", True, ("ftjob-twin",))
    [(name, usd)] = here.standing().items()
    assert (name, usd > 1) == (action, True)
    again = AtGate(own, "--max-cost", "1")
    again.passes()
    assert again.gate.spent[action].cost_usd == usd


def test_plan_tells_of_a_job_that_is_at_the_provider_and_takes_nothing(own: Own, server: Stub, here: AtGate) -> None:
    at_provider(here, server)
    ended = own.run("plan", *AT_ELSEWHERE, columns=200)
    [line] = [each for each in ended.out.splitlines() if " job " in each and "attach" in each]
    assert line.split(maxsplit=2) == ["attach", "job", "ftjob-9 is at the provider: adopted, not paid again"]
    assert "No paid job, " in ended.out
    assert not journal(here).exists()


def failed(here: AtGate) -> str:
    """Let the job of the key have failed; return its journal."""
    found, asked = here.ledger.journal(str(here.job().key)), AskedFor((*AT_ELSEWHERE,), "tone_formal")
    found.append(1.0, "launched", job_id="ftjob-1", **asked.to_json())
    found.append(2.0, "ended", job_id="ftjob-1", status="failed", error="server error", code=None)
    return journal(here).read_text()


def test_a_retry_that_is_refused_allows_nothing(own: Own, here: AtGate) -> None:
    before = failed(here)
    ended = own.run("retry", "ftjob-1")
    assert (ended.code, ended.out) == (2, "")
    assert re.search(rf"{PAID}, to be paid to elsewhere, and no terminal to ask at", ended.err)
    assert (journal(here).read_text(), here.standing()) == (before, {})
    assert here.job().status == "FAILED"


def test_a_retry_that_never_comes_to_its_job_allows_nothing(own: Own, here: AtGate) -> None:
    before = failed(here)
    ended = own.run("retry", "ftjob-1", "--yes")
    assert (ended.code, "no room today" in ended.err) == (4, True)
    assert (journal(here).read_text(), len(here.standing())) == (before, 1)


def test_a_retry_is_written_down_when_it_launches(own: Own, server: Stub, here: AtGate) -> None:
    failed(here)
    server.answers |= ANSWERING
    server.answers[f"POST {JOBS}"] = [refusal(400, "no such model")]
    assert own.run("retry", "ftjob-1", "--yes").code == 4
    events = [json.loads(line)["event"] for line in journal(here).read_text().splitlines()]
    assert events == ["launched", "ended", "retry", "intent", "refused"]
    state = here.ledger.state(str(here.job().key))
    assert (state.attempt, state.past, state.refused) == (2, ("ftjob-1",), "elsewhere: no such model")


def test_a_job_that_was_launched_elsewhere_counts_in_the_budget_once_adopted(
    own: Own, server: Stub, here: AtGate
) -> None:
    server.answers[f"GET {JOBS}/ftjob-a"] = [(200, job("ftjob-a", metadata={}, status="running"))]
    assert own.run("adopt", "ftjob-a", *AT_ELSEWHERE).code == 0
    assert own.run("adopt", "ftjob-a", *AT_ELSEWHERE).out.startswith("ftjob-a is known here already")
    [(name, usd)] = here.standing().items()
    assert (name, usd > 0) == (here.job().action.id, True)
    changed(own, server, models=dear(100_000.0))
    beyond = own.run(*AT_ELSEWHERE, "--yes", "seed=8", "budget.usd=0.001")
    assert "are spent or reserved already, and the budget is $0.00" in beyond.err


def test_what_lies_below_a_failure_is_not_paid_for(own: Own) -> None:
    here = AtGate(own, "budget.usd=100")
    here.passes("lines")
    assert [here.graph.actions[name].label for name in here.standing()] == ["base"]


def at_terminal(own: Own, typed: str | signal.Signals, *arguments: str) -> Ended:
    """Run a command at a terminal of its own, and type a line, or send a signal, when it asks."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ftbuild", *arguments],
        cwd=own.folder,
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said = b""
    try:
        while select.select([ours], [], [], HANGS_SECONDS)[0]:
            try:
                more = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not more:
                break
            asked = b"[y/N]" in said
            said += more
            if not asked and b"[y/N]" in said:
                if isinstance(typed, signal.Signals):
                    process.send_signal(typed)
                else:
                    os.write(ours, f"{typed}\n".encode())
        return Ended(process.wait(HANGS_SECONDS), "", said.decode().replace("\r\n", "\n"))
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_at_a_terminal_somebody_is_asked_and_may_say_no(own: Own, server: Stub) -> None:
    ended = at_terminal(own, "n", *AT_ELSEWHERE)
    assert ended.code == 2
    assert re.search(rf"O{PAID[1:]}, to be paid to elsewhere\. Go on\? \[y/N\] n\n", ended.err)
    assert "not paid for: nothing was sent\n    Fix: the same command asks again.\n" in ended.err
    assert [each.path for each in server.asked] == [JOBS, MODEL]


def test_at_a_terminal_a_yes_goes_on(own: Own, server: Stub) -> None:
    ended = at_terminal(own, "yes", *AT_ELSEWHERE)
    assert (ended.code, "no room today" in ended.err) == (4, True)
    assert "/chat/completions" in [each.path for each in server.asked]


def test_ctrl_c_at_the_question_is_a_no(own: Own, server: Stub) -> None:
    ended = at_terminal(own, signal.SIGINT, *AT_ELSEWHERE)
    assert (ended.code, "Fatal" in ended.err) == (130, False)
    assert ended.err.endswith("interrupted; the same command goes on from here\n")
    assert [each.path for each in server.asked] == [JOBS, MODEL]
    assert not (ledger(own) / LINES).exists()
