"""The embedded server beside plain transformers: tokens a second, time to the first token, memory.

python -m tests.bench.serving [--rounds N] [--threads N]

Sixteen requests at once through the SDK, against the same sixteen one after the other by `generate` of transformers:
same weights, same number format, greedy, at most 48 tokens. Both in turn, in one run; the ratio of the medians counts,
in wall time and in CPU-seconds (on a busy machine the fairer figure). Then the time to the first token of a long
system message with tools, first read (cold) and known (warm); and of what a fine-tuned model that was not asked before
costs, against reading a model from disk.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from ftbuild.cache import cache_folder
from ftbuild.embedded.weights import prepare
from tests.embedded_fixture import Running, running

ROOT = Path(__file__).parents[2]
GOAL_RATIO = 5.0
AT_ONCE = 16
MAX_TOKENS = 48
SYSTEM = "Rewrite the message in formal English."
MESSAGES = [
    *("hey can u send me that report asap? thx", "sup, can't make it to the call today, my bad"),
    *("pls fix the typo on page 3 lol", "gonna be late, traffic is nuts", "wanna grab lunch tmrw?"),
    *("the server's down again, fix it", "thx for the help yesterday!", "yo where's the invoice"),
    *("need the numbers by fri", "u guys rock", "the meeting's moved to 3", "cant open the file, resend?"),
    *("lemme know when ur free", "that demo was awesome", "dont forget the docs", "my laptop died, need a new one"),
]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": f"tool_{number}",
            "description": f"Do the thing number {number} of all the things that an assistant does at home.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "n": {"type": "integer"}}},
        },
    }
    for number in range(16)
]
POLICY = "Answer in a friendly manner, and never promise what the shop cannot keep. " * 20


def model() -> dict[str, Any]:
    """Return the shipped model as `prepare` takes it."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "conf/model/smollm2.yaml").read_text(encoding="utf-8"))
    return found


def conversation(message: str) -> list[Any]:
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": message}]


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


# --- the peer -----------------------------------------------------------------------------------


def peer(folder: str, threads: int) -> None:
    """Answer so many messages as each line says, one after the other; say how many tokens that were."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from ftbuild.embedded.llama import fast_dtype

    torch.set_num_threads(threads)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=fast_dtype(Path(folder)))
    for line in sys.stdin:
        n_tokens = 0
        for message in MESSAGES[: int(line)]:
            asked = tokenizer.apply_chat_template(
                conversation(message), add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
            said = network.generate(**asked, max_new_tokens=MAX_TOKENS, do_sample=False, pad_token_id=0)
            n_tokens += said.shape[1] - asked["input_ids"].shape[1]
        print(n_tokens, flush=True)


@contextmanager
def peer_running(folder: Path, threads: int) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "tests.bench.serving", "--peer", str(folder), "--threads", str(threads)]
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def peer_round(process: "subprocess.Popen[str]", n_messages: int = len(MESSAGES)) -> int:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{n_messages}\n")
    process.stdin.flush()
    return int(process.stdout.readline())


# --- ours ---------------------------------------------------------------------------------------


def ask(server: Running, message: str) -> tuple[str | None, int]:
    answer = server.client.chat.completions.create(
        model=model()["id"], messages=conversation(message), temperature=0, max_tokens=MAX_TOKENS
    )
    assert answer.usage is not None
    return answer.choices[0].message.content, answer.usage.completion_tokens


def our_answers(server: Running) -> list[tuple[str | None, int]]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(lambda message: ask(server, message), MESSAGES))


def our_round(server: Running) -> int:
    return sum(n_tokens for _, n_tokens in our_answers(server))


def seconds_to_first(server: Running, system: str, message: str) -> float:
    started = time.perf_counter()
    stream = server.client.chat.completions.create(
        model=model()["id"],
        messages=[{"role": "system", "content": system}, {"role": "user", "content": message}],
        tools=TOOLS,  # type: ignore[arg-type]
        tool_choice="none",
        temperature=0,
        max_tokens=4,
        stream=True,
    )
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            break
    found = time.perf_counter() - started
    stream.close()
    return found


def adapters_seconds(folder: Path, scratch: Path, threads: int) -> tuple[float, float, float]:
    """Return the seconds to read the base, to have another model of new adapters, and to go back to the first."""
    import torch

    from ftbuild.embedded.lora import Lora
    from ftbuild.embedded.sampler import Sampler

    sampler = Sampler(threads)
    torch.set_num_threads(threads)
    started = time.perf_counter()
    llama = sampler.llama((folder, None))
    loaded = time.perf_counter() - started
    for number in range(2):
        Lora.start(llama, 16, 32.0, number).write(scratch / f"adapters-{number}", "x")
    started = time.perf_counter()
    sampler.llama((folder, scratch / "adapters-0"))
    merged = time.perf_counter() - started
    sampler.llama((folder, scratch / "adapters-1"))
    started = time.perf_counter()
    sampler.llama((folder, scratch / "adapters-0"))
    back = time.perf_counter() - started
    sampler.stop()
    return loaded, merged, back


# --- the report ---------------------------------------------------------------------------------


def measured(pid: int, work: Any) -> tuple[float, float]:
    """Return tokens a second of wall time and of CPU time of a process."""
    cpu, started = cpu_seconds(pid), time.perf_counter()
    n_tokens = work()
    return n_tokens / (time.perf_counter() - started), n_tokens / max(0.01, cpu_seconds(pid) - cpu)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peer:
        peer(given.peer, given.threads)
        return 0
    cache = cache_folder(os.environ)
    folder = prepare(model(), cache, print).folder
    ours, theirs = [], []
    with TemporaryDirectory() as scratch:
        state = Path(scratch) / "state"
        with (
            running(state, cache, model=model(), threads=given.threads, idle_seconds=600) as server,
            peer_running(folder, given.threads) as process,
        ):
            our_round(server)
            peer_round(process, 1)
            for _ in range(given.rounds):
                ours.append(measured(server.process.pid, lambda: our_round(server)))
                theirs.append(measured(process.pid, lambda: peer_round(process)))
            together = our_answers(server)
            same = sum(ask(server, message) == said for message, said in zip(MESSAGES[:4], together, strict=False))
            memory = (peak_mb(server.process.pid), peak_mb(process.pid))
            cold, warm = [], []
            for number in range(2 * given.rounds + 1):
                system = f"You are assistant number {number} of the shop. {POLICY}"
                cold.append(seconds_to_first(server, system, "hello"))
                warm.append(seconds_to_first(server, system, "good morning"))
            memory_after = peak_mb(server.process.pid)
        loaded, merged, back = adapters_seconds(folder, Path(scratch), given.threads)
    wall, cpu = (
        statistics.median(each[at] for each in ours) / statistics.median(each[at] for each in theirs) for at in (0, 1)
    )
    print("| | transformers, one by one | ftbuild, 16 at once | ratio |\n|---|---|---|---|")
    for name, at, ratio in (("tokens a second", 0, wall), ("tokens a CPU-second", 1, cpu)):
        one, other = (statistics.median(each[at] for each in listed) for listed in (theirs, ours))
        print(f"| {name} | {one:.1f} | {other:.1f} | {ratio:.1f} |")
    print(f"| peak memory, MB | {memory[1]} | {memory[0]} | {memory[0] / memory[1]:.2f} |")
    first, known = statistics.median(cold), statistics.median(warm)
    print(f"| first token, seconds (cold, warm) | {first:.2f} | {known:.2f} | {first / known:.1f} |")
    print(f"| another model, seconds (from disk, its adapters) | {loaded:.2f} | {merged:.2f} | {loaded / merged:.1f} |")
    print(f"\nOf 4 answers {same} are the same alone as among 16, to the last token.")
    print(f"Back to a model asked before: {back * 1000:.2f} ms.")
    print(f"Peak memory with {len(cold)} long beginnings kept: {memory_after} MB.")
    print(json.dumps({"wall": round(wall, 2), "cpu": round(cpu, 2), "first_token": round(first / known, 2)}))
    return 0 if cpu >= GOAL_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
