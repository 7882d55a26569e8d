"""What parallel_tools comes to: one call and several, with values, phrasings and people's own words never seen.

    python -m tests.bench.parallel_tools [--seeds 7,8,9] [--free]

Builds the experiment with each seed where it is not built (about 30 minutes a seed), reads its reports and prints, for
each part of the test split, the share of requests whose calls are exactly those wanted: base, tuned with its interval,
the paired difference, and the goals beside. `--free` asks each model once more, without constrained decoding.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openai import OpenAI

from ftbuild.chat import Tool, ToolCall
from ftbuild.providers.embedded import Address, running
from ftbuild.scorers import Case
from ftbuild.scorers.tool_calls import ToolCalls
from ftbuild.settings.evaluation import ScorerOptions
from ftbuild.stats.interval import interval
from ftbuild.stats.paired import compare

METRIC = "tool_calls.exact_set"
GOALS = {("values", "one"): 0.95, ("values", "more"): 0.90, ("phrasings", "one"): 0.85, ("phrasings", "more"): 0.70}
AT_ONCE = 16
Values = dict[str, float]


def part(slices: Mapping[str, str]) -> tuple[str, str]:
    """Return which part of the test split an example is of: what is unseen in it, and how many calls it wants."""
    calls = slices.get("calls") or slices.get("kind") or "none"
    return slices.get("unseen") or slices["source"], calls if calls in ("one", "none") else "more"


def built(seed: int) -> dict[str, Any]:
    """Return the report of the experiment with this seed."""
    command = [sys.executable, "-m", "ftbuild", "+experiment=parallel_tools", f"seed={seed}"]
    subprocess.run(command, check=False)  # 3: a goal is missed
    found: dict[str, Any] = json.loads(Path("outputs/runs/latest/report.json").read_text(encoding="utf-8"))
    assert found["training"]["seed"] == seed
    return found


def scores(report: Mapping[str, Any], arm: str) -> Values:
    """Return the metric of each example."""
    return {each["id"]: each["scores"][arm][METRIC] for each in report["examples"]}


@contextmanager
def server() -> Iterator[Address]:
    """Give the address of the server of this folder, started where none runs."""
    state = Path("outputs/.ftbuild/embedded")
    process = None
    if running(state) is None:
        process = subprocess.Popen([sys.executable, "-m", "ftbuild", "serve"], stdout=subprocess.DEVNULL)
    while (address := running(state)) is None:
        time.sleep(0.2)
    yield address
    if process is not None:
        process.terminate()
        process.wait()


def free(report: Mapping[str, Any], lines: Sequence[dict[str, Any]], address: Address) -> Values:
    """Return the metric of each example, asked of the tuned model with nothing that holds it to its tools."""
    client = OpenAI(base_url=address.base_url, api_key=address.api_key, timeout=600)

    def ask(line: dict[str, Any]) -> float:
        tools = [{**each, "function": {**each["function"], "strict": False}} for each in line["tools"]]
        answer = client.chat.completions.create(
            model=report["training"]["model"],
            messages=line["messages"][:-1],
            tools=tools,  # type: ignore[arg-type]
            parallel_tool_calls=line["parallel_tool_calls"],
            temperature=0,
            max_tokens=256,
        )
        sent = [
            ToolCall(each.id, each.function.name, each.function.arguments)
            for each in answer.choices[0].message.tool_calls or ()
            if each.type == "function"
        ]
        wanted = [
            ToolCall(each["id"], each["function"]["name"], each["function"]["arguments"])
            for each in line["messages"][-1].get("tool_calls") or ()
        ]
        offered = [Tool(each["function"]["name"], parameters=each["function"]["parameters"]) for each in line["tools"]]
        found = ToolCalls(ScorerOptions()).score(Case("1", "", "", "", wanted=wanted, sent=sent, tools=offered))
        return next(each.value or 0.0 for each in found if each.metric == METRIC)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return {each["id"]: value for each, value in zip(report["examples"], pool.map(ask, lines), strict=True)}


def lines_of(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the test lines in the order of the report's examples."""
    [folder] = Path("datasets/built/parallel_tools").glob(f"{report['dataset']['digest'][:12]}*")
    lines = [json.loads(line) for line in (folder / "test.jsonl").read_text(encoding="utf-8").splitlines()]
    by_request = {line["messages"][-2]["content"]: line for line in lines}
    return [by_request[each["input"]] for each in report["examples"]]


def table(report: Mapping[str, Any], arms: Mapping[str, Values]) -> None:
    """Print a row a part."""
    parts: dict[tuple[str, str], list[str]] = {}
    for each in report["examples"]:
        parts.setdefault(part(each["slices"]), []).append(each["id"])
    print(f"seed {report['training']['seed']}")
    for (unseen, calls), ids in sorted(parts.items()):
        base, tuned = ({name: arms[arm][name] for name in ids} for arm in ("base", "tuned"))
        n_right = sum(tuned.values())
        found, difference = interval([*tuned.values()]), compare(base, tuned)
        row = f"  {unseen:12} {calls:5} n {len(ids):3}   base {sum(base.values()) / len(ids):.2f}"
        row += f"   tuned {found.mean:.2f} ({found.low:.2f} to {found.high:.2f})"
        row += f"   {difference.difference:+.2f} ({difference.low:+.2f} to {difference.high:+.2f})"
        if "free" in arms:
            row += f"   unconstrained {sum(arms['free'][name] for name in ids) / len(ids):.2f}"
        if (goal := GOALS.get((unseen, calls))) is not None:
            row += f"   goal {goal:.2f} {'reached' if n_right / len(ids) >= goal else 'missed'}"
        print(row)


def main() -> None:
    """Build, read, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="7,8,9")
    parser.add_argument("--free", action="store_true")
    given = parser.parse_args()
    means: dict[tuple[str, str], list[float]] = {}
    for seed in map(int, given.seeds.split(",")):
        report = built(seed)
        arms = {arm: scores(report, arm) for arm in ("base", "tuned")}
        if given.free:
            with server() as address:
                arms["free"] = free(report, lines_of(report), address)
        table(report, arms)
        for wanted in GOALS:
            ids = [each["id"] for each in report["examples"] if part(each["slices"]) == wanted]
            means.setdefault(wanted, []).append(sum(arms["tuned"][name] for name in ids) / len(ids))
    for wanted, found in means.items():
        print(f"{wanted[0]}, {wanted[1]}: mean {sum(found) / len(found):.3f} of {len(found)}, goal {GOALS[wanted]:.2f}")


if __name__ == "__main__":
    main()
