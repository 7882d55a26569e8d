"""A million chat examples with tools into training lines, beside the floor and beside Hugging Face `datasets.map`.

python -m tests.bench.data_compiler [--n N] [--peer PYTHON]

The floor is what no compiler can leave out, done once: orjson reads and writes every line, its tokens are counted and
its sha256 is taken. Twice over: a line at a time, as a script does it, and with the tokens of many lines counted at
once, which is as quick as it gets; each time in as many processes at once as the compiler is given. PYTHON is one that
has `datasets` and `toktok-rs` installed; it gets the checks of OpenAI's cookbook on a twentieth of the lines.
"""

import argparse
import compileall
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import toktok

import ftbuild
from tests.bench.tool import Cost, adopt_orphans, measure

ENCODING = "o200k_base"
AT_ONCE = 512
GOAL_RATIO, GOAL_MB = 2.5, 600
EXPERIMENT = """\
# @package _global_
# A million chats with tools.   ftbuild dataset +experiment=many
defaults:
  - /source@dataset.sources.many: many
  - override /style: plain
  - override /goal: closer
  - override /evaluation: answers
request: {parallel_tool_calls: true}
"""
SOURCE = """\
# Chats with two calls at once, their results and an answer.   ftbuild dataset +experiment=many
kind: chat_jsonl
path: many.jsonl
licence: CC0-1.0
origin: made by tests/bench/data_compiler.py
"""
WORDS = ["rain", "sun", "wind", "snow", "fog", "hail", "storm", "cloud", "frost", "mist", "heat", "cold"]


def example(number: int) -> dict[str, object]:
    """Return one example, unlike all others; one in ten calls no tool."""
    place, other = f"place {number}", WORDS[number % len(WORDS)]
    asked = {
        "role": "user",
        "content": f"Will there be {other} in {place} on day {number % 31}, and what is {number}+7?",
    }
    if number % 10 == 0:
        messages = [asked, {"role": "assistant", "content": f"I cannot look up {place} today, I am afraid."}]
        return {"messages": messages, "tools": TOOLS, "parallel_tool_calls": True}
    arguments = [json.dumps({"city": place, "day": str(number % 31)}), json.dumps({"expression": f"{number}+7"})]
    calls = [
        {"id": f"call_{at}", "type": "function", "function": {"name": name, "arguments": arguments[at]}}
        for at, name in enumerate(("get_weather", "calculate"))
    ]
    results = [
        {"role": "tool", "tool_call_id": "call_1", "content": str(number + 7)},
        {"role": "tool", "tool_call_id": "call_0", "content": f"{other}, {number % 40} degrees"},
    ]
    said = f"Expect {other} in {place}, about {number % 40} degrees. The sum is {number + 7}."
    answer = {"role": "assistant", "content": said}
    messages = [{"role": "system", "content": "Help."}, asked, {"role": "assistant", "tool_calls": calls}, *results]
    return {"messages": [*messages, answer], "tools": TOOLS, "parallel_tool_calls": True}


def tool(name: str, description: str, **types: str) -> dict[str, object]:
    """Return a tool whose arguments are all required."""
    properties = {each: {"type": kind} for each, kind in types.items()}
    parameters = {"type": "object", "properties": properties, "required": [*types], "additionalProperties": False}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


TOOLS = [
    tool("get_weather", "Weather in a city on a day.", city="string", day="string"),
    tool("calculate", "Work out an arithmetic expression.", expression="string"),
]


def write(folder: Path, n: int) -> None:
    """Write a project with `n` examples."""
    for name, text in (("conf/experiment/many.yaml", EXPERIMENT), ("conf/source/many.yaml", SOURCE)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    with (folder / "many.jsonl").open("wb") as file:
        for number in range(n):
            file.write(json.dumps(example(number), ensure_ascii=False).encode() + b"\n")


def texts(line: dict[str, object]) -> list[str]:
    """Return the texts of a line that are counted."""
    messages = line["messages"]
    assert isinstance(messages, list)
    found = [each["content"] for each in messages if each.get("content")]
    calls = [call["function"] for each in messages for call in each.get("tool_calls", ())]
    return [*found, *(each["name"] + each["arguments"] for each in calls), orjson.dumps(line["tools"]).decode()]


def floor(path: Path, at_once: int) -> float:
    """Return the CPU seconds of what cannot be left out, the tokens of so many lines counted at once."""
    before = time.process_time()
    waiting: list[str] = []
    with path.open("rb") as file, Path(os.devnull).open("wb") as out:
        for number, content in enumerate(file, 1):
            line = orjson.loads(content)
            waiting += texts(line)
            if number % at_once == 0:
                toktok.batch_count(waiting, ENCODING, threads=1)
                waiting = []
            written = orjson.dumps(line)
            hashlib.sha256(written).digest()
            out.write(written)
    if waiting:
        toktok.batch_count(waiting, ENCODING, threads=1)
    return time.process_time() - before


def floor_of(n_processes: int, path: Path, at_once: int) -> float:
    """Return the floor while as many processes work on it: two on one core of silicon slow each other down."""
    with ProcessPoolExecutor(n_processes) as pool:
        return statistics.mean(pool.map(floor, [path] * n_processes, [at_once] * n_processes))


PEER = """
import sys, resource, datasets, toktok
datasets.disable_progress_bars()
def check(line):
    problems = []
    if not isinstance(line.get("messages"), list): problems.append("missing_messages_list")
    n, texts = 0, []
    for message in line["messages"]:
        if "role" not in message: problems.append("message_missing_key")
        if any(k not in ("role", "content", "name", "tool_calls", "tool_call_id", "weight") for k in message):
            problems.append("message_unrecognized_key")
        if message.get("role") not in ("system", "user", "assistant", "tool"): problems.append("unrecognized_role")
        if not message.get("content") and not message.get("tool_calls"): problems.append("missing_content")
        texts += [str(value) for value in message.values() if value]
        n += 3
    if not any(message.get("role") == "assistant" for message in line["messages"]):
        problems.append("example_missing_assistant_message")
    return {"problems": problems, "n_tokens": n + 3 + sum(toktok.batch_count(texts, "o200k_base", threads=1))}
found = datasets.load_dataset("json", data_files=sys.argv[1], split="train", cache_dir=sys.argv[2])
found = found.map(check, num_proc=1)
found.to_json(sys.argv[3])
"""


@contextmanager
def watched() -> Iterator[Callable[[], float]]:
    """Yield what tells the most memory that all processes below this one had at once, in MB, shared pages once."""
    most, stop = 0.0, threading.Event()

    def look() -> None:
        nonlocal most
        while not stop.wait(0.2):
            most = max(most, sum(_memory(pid) for pid in _below(os.getpid())) / 1024)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield lambda: most
    finally:
        stop.set()
        thread.join()


def _below(pid: int) -> Iterator[int]:
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(each) for each in path.read_text().split()]
        except OSError:
            continue
        for child in children:
            yield child
            yield from _below(child)


def _memory(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(each.split()[1]) for each in lines if each.startswith("Pss:")), 0)


def compiled(folder: Path, jobs: int, *said: str) -> tuple[Cost, float, dict[str, str]]:
    """Build the dataset anew, with what else is said; return the cost, the memory and the digest of every file."""
    for name in ("outputs", "datasets"):
        subprocess.run(["rm", "-rf", str(folder / name)], check=True)
    command = [sys.executable, "-m", "ftbuild", "dataset", "+experiment=many", "--jobs", str(jobs), *said]
    with watched() as memory:
        cost = measure(command, folder, 3600)
    assert cost.code == 0, (folder / "said.log").read_text()[-2000:]
    built = sorted((folder / "datasets" / "built" / "many").glob("*/*"))
    digests = {}
    for path in built:
        with path.open("rb") as file:
            digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return cost, memory(), digests


def peer(python: str, folder: Path, n: int) -> float:
    """Return the CPU seconds of `datasets.map` for the first `n` lines, its import and its cache with it."""
    with (folder / "many.jsonl").open("rb") as file:
        (folder / "few.jsonl").write_bytes(b"".join(next(file) for _ in range(n)))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [python, "-c", PEER, str(folder / "few.jsonl"), str(folder / "cache"), str(folder / "out.jsonl")]
    subprocess.run(command, check=True, cwd=folder, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--peer", help="a Python with datasets and toktok-rs")
    asked = parser.parse_args(arguments)
    adopt_orphans()
    compileall.compile_dir(Path(ftbuild.__file__).parent, quiet=1)  # as an installer does, else each process would
    with TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, asked.n)
        found = {}
        for jobs in (2, 1):
            one_by_one, at_once = (floor_of(jobs, folder / "many.jsonl", each) for each in (1, AT_ONCE))
            print(f"floor, {jobs} processes, a line at a time: {one_by_one / asked.n * 1e6:.1f} us an example; "
                  f"{AT_ONCE} at once: {at_once / asked.n * 1e6:.1f} us")  # fmt: skip
            cost, mb, found[jobs] = compiled(folder, jobs)
            print(
                f"ftbuild dataset, {jobs} processes: {cost.cpu / asked.n * 1e6:.1f} us of CPU an example, "
                f"{cost.cpu / one_by_one:.2f} x the floor a line at a time (goal {GOAL_RATIO}), "
                f"{cost.cpu / at_once:.2f} x that of many at once; {cost.wall:.0f} s, {mb:.0f} MB (goal {GOAL_MB})"
            )
        print("the same bytes with 1 and 2 processes" if found[1] == found[2] else "OTHER BYTES with 1 and 2 processes")
        if asked.peer:
            n = max(asked.n // 20, 1)
            theirs = peer(asked.peer, folder, n)
            print(f"datasets.map, {n:,} examples: {theirs / n * 1e6:.1f} us of CPU an example, "
                  f"{theirs / n / (cost.cpu / asked.n):.2f} x ftbuild")  # fmt: skip
        well = found[1] == found[2] and cost.cpu <= GOAL_RATIO * one_by_one and mb <= GOAL_MB
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
