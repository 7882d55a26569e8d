"""Asking for many answers, beside a bare asyncio loop over the SDK and beside inspect-ai: requests a second, CPU.

python -m tests.bench.sampling [--n N] [--rounds N] [--at-once N] [--peer PYTHON]

A server in a process of its own answers each request after 20 ms. The loop sends the same bodies through
`AsyncOpenAI` behind a semaphore and keeps the texts in a list: it can be killed and then knows nothing. Ours looks
each request up by its digest, sends it, and keeps request, response, usage and cost in SQLite. All in turn, each in a
fresh process, in one run; imports are left out, the median counts. PYTHON is one that has inspect-ai installed.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
GOAL_CPU, GOAL_SPEED = 1.3, 5.0
DELAY_SECONDS = 0.02
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": f"tool_{number}",
            "description": f"Do the thing number {number} of all the things that an assistant does at home.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "n": {"type": "integer"}},
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    }
    for number in range(4)
]
ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "logprobs": None,
                "message": {
                    "role": "assistant",
                    "content": "One moment, I look that up for you.",
                    "refusal": None,
                    "tool_calls": [
                        {
                            "id": "c1",
                            "type": "function",
                            "function": {"name": "tool_1", "arguments": '{"city": "Oslo"}'},
                        }
                    ],
                },
            }
        ],
        "usage": {"prompt_tokens": 200, "completion_tokens": 20, "total_tokens": 220},
    }
).encode()

FLOOR = """
import asyncio, json, sys, time
from openai import AsyncOpenAI
url, n, at_once = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
tools = json.loads(sys.stdin.read())
async def main():
    client = AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
    gate, found = asyncio.Semaphore(at_once), []
    async def ask(number):
        async with gate:
            said = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": f"Look up place {number}, please."}], tools=tools,
                temperature=0, max_completion_tokens=120, seed=7)
            found.append(said.choices[0].message.tool_calls[0].function.arguments)
    await asyncio.gather(*map(ask, range(n)))
    await client.close()
    assert len(found) == n
wall, cpu = time.perf_counter(), time.process_time()
asyncio.run(main())
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]))
"""
OURS = """
import json, sys, time
from pathlib import Path
from tempfile import TemporaryDirectory
from ftbuild.chat import Message
from ftbuild.completion import Prompt
from ftbuild.evaluate.calls import Calls
from ftbuild.evaluate.dialogue import play
from ftbuild.evaluate.sample import sample
from ftbuild.providers.wire import WireClient
url, n, at_once = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
tools = json.loads(sys.stdin.read())
with TemporaryDirectory() as folder:
    wall, cpu = time.perf_counter(), time.process_time()
    calls = Calls(Path(folder) / "calls.db")
    sent = {"temperature": 0, "max_completion_tokens": 120, "seed": 7, "tools": tools}
    plays = {
        number: play(Prompt((Message("user", f"Look up place {number}, please."),), sent), 1, lambda call: None)
        for number in range(n)
    }
    found = sample(plays, WireClient(url, "none", "local"), calls, "m", at_once, lambda *_: None)
    calls.close()
    assert len(found) == n and all(each.last.tool_calls for each in found.values())
    print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]))
"""
INSPECT = """
import json, os, sys, time, tempfile
url, n, at_once = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.environ |= {"LOCAL_BASE_URL": url, "LOCAL_API_KEY": "none", "INSPECT_DISPLAY": "none"}
tools = json.loads(sys.stdin.read())
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.solver import solver
from inspect_ai.tool import ToolInfo
from inspect_ai.model import get_model
infos = [ToolInfo(**each["function"]) for each in tools]
@solver
def once():
    async def solve(state, generate):
        state.output = await get_model().generate(state.messages, tools=infos)
        return state
    return solve
samples = MemoryDataset([Sample(input=f"Look up place {number}, please.") for number in range(n)])
asked = {"temperature": 0, "max_tokens": 120, "seed": 7, "max_connections": at_once, "max_samples": at_once}
with tempfile.TemporaryDirectory() as folder:
    wall, cpu = time.perf_counter(), time.process_time()
    [log] = eval(Task(dataset=samples, solver=once()), model="openai-api/local/m", log_dir=folder,
                 display="none", **asked)
    spent = [time.perf_counter() - wall, time.process_time() - cpu]
    assert log.status == "success" and len(log.samples) == n, log.error
print(json.dumps(spent))
"""


async def serve() -> None:
    """Answer every request after the delay, over kept connections; tell the port."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(ANSWER)}\r\n\r\n".encode()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                asked = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line[15:]) for line in asked.lower().split(b"\r\n") if line.startswith(b"content-length:")
                )
                await reader.readexactly(length)
                await asyncio.sleep(DELAY_SECONDS)
                writer.write(head + ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def spent(python: str, program: str, url: str, n: int, at_once: int) -> tuple[float, float]:
    """Return wall and CPU seconds of a contender, its imports left out.

    Raises:
        SystemExit: it did not end well.
    """
    done = subprocess.run(
        [python, "-c", program, url, str(n), str(at_once)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT) if python == sys.executable else ""},
        input=json.dumps(TOOLS),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(done.stderr[-2000:])
    wall, cpu = json.loads(done.stdout.splitlines()[-1])
    return wall, cpu


def compared(arguments: argparse.Namespace, url: str) -> dict[str, tuple[float, float]]:
    """Return the medians of wall and CPU seconds of each contender, all measured in turn."""
    contenders = {"the SDK in a loop": (sys.executable, FLOOR), "ftbuild": (sys.executable, OURS)}
    if arguments.peer:
        contenders["inspect-ai"] = (arguments.peer, INSPECT)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for _ in range(arguments.rounds):
        for name, (python, program) in contenders.items():
            found[name].append(spent(python, program, url, arguments.n, arguments.at_once))
    return {
        name: (statistics.median(wall for wall, _ in each), statistics.median(cpu for _, cpu in each))
        for name, each in found.items()
    }


def main(given: Sequence[str] | None = None) -> int:
    """Print the table; return 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1000, help="requests")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument("--peer", help="a Python that has inspect-ai")
    arguments = parser.parse_args(given)
    with subprocess.Popen([sys.executable, "-m", __spec__.name, "serve"], cwd=ROOT, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            found = compared(arguments, f"http://127.0.0.1:{int(server.stdout.readline())}/v1")
        finally:
            server.terminate()
    print("| | requests/s | CPU ms/request |\n|---|---|---|")
    for name, (wall, cpu) in found.items():
        print(f"| {name} | {arguments.n / wall:.0f} | {1000 * cpu / arguments.n:.2f} |")
    ours = found["ftbuild"]
    goals: list[tuple[str, float, bool]] = []
    ratio = ours[1] / found["the SDK in a loop"][1]
    goals.append((f"CPU of the loop (goal: at most {GOAL_CPU})", ratio, ratio <= GOAL_CPU))
    if "inspect-ai" in found:
        speed = found["inspect-ai"][0] / ours[0]
        goals.append((f"speed of inspect-ai (goal: at least {GOAL_SPEED:.0f})", speed, speed >= GOAL_SPEED))
    for what, times, is_met in goals:
        print(f"{times:.2f} times the {what}: {'met' if is_met else 'MISSED'}")
    return 0 if all(is_met for *_, is_met in goals) else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    else:
        sys.exit(main())
