"""Random kills against the ledger: `python -m tests.bench.ledger_soak --rounds 200 --seed 1`.

A round is a project with one job and a provider that loses a quarter of all answers. Generations of one to three
clients at once are started and killed with SIGKILL at random moments; then one is let through to the end, and a
second clone builds the same. Wanted after every round: one create for the key, everything done, every job at the
provider known to the ledger, no job from the clone. Exits with 1 and the seed of the first round that has it otherwise.
"""

import argparse
import random
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from job_fixture import Child, Jobs
from paying_fixture import folder_in_memory

from ftbuild.ledger.journal import journals

LOSSY = 0.25
CLIENTS_AT_MOST, GENERATIONS_AT_MOST, TRIES_AT_MOST = 3, 4, 60
KILLED = 0.75  # of the clients
LONGEST_SECONDS = 0.12  # a client is killed within; about as long as one takes


@dataclass
class Summary:
    """What happened in all rounds; `wrong` says in words what was not as wanted."""

    rounds: int = 0
    clients: int = 0
    kills: int = 0
    creates: int = 0
    wrong: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = f"{self.rounds} rounds, {self.clients} clients, {self.kills} killed, {self.creates} creates"
        return "\n".join([said, *self.wrong])


def soak(rounds: int, seed: int, seconds: float = float("inf")) -> Summary:
    """Return what became of so many rounds, or of those that fit into so many seconds."""
    found, deadline = Summary(), time.monotonic() + seconds
    for number in range(rounds):
        if time.monotonic() > deadline:
            break
        with folder_in_memory() as folder:
            _round(folder, random.Random(f"{seed} {number}"), f"seed {seed}, round {number}", found)
        found.rounds += 1
    return found


def _round(folder: Path, chance: random.Random, name: str, found: Summary) -> None:
    toy = Jobs(folder / "first", place=folder / "provider", lossy=LOSSY, looks_late=chance.randint(0, 2))
    for _ in range(chance.randint(1, GENERATIONS_AT_MOST)):
        _generation(toy, chance, found)
    tries = 0
    while not toy.all_done and tries < TRIES_AT_MOST:
        tries += 1
        _client(toy, chance, found).code()
    creates = toy.provider.creates_by_key()
    clone = Jobs(folder / "second", place=folder / "provider", looks_late=0)
    _client(clone, chance, found).code()
    found.creates += sum(creates.values())
    known = {journal.state().job_id for journal in journals(toy.ledger.folder)}
    checks = {
        f"{list(creates.values())} creates": list(creates.values()) == [1],
        "not done": toy.all_done,
        "a job that the ledger does not know": {job.id for job in toy.provider.jobs()} == known,
        "a create by a second clone": clone.provider.creates_by_key() == creates and clone.all_done,
    }
    found.wrong += tuple(f"{name}: {what}" for what, right in checks.items() if not right)


def _generation(toy: Jobs, chance: random.Random, found: Summary) -> None:
    """Start clients at once and kill some of them."""
    clients = [_client(toy, chance, found) for _ in range(chance.randint(1, CLIENTS_AT_MOST))]
    doomed = [(chance.uniform(0, LONGEST_SECONDS), each) for each in clients if chance.random() < KILLED]
    began = time.monotonic()
    for after, each in sorted(doomed, key=lambda pair: pair[0]):
        time.sleep(max(began + after - time.monotonic(), 0.0))
        each.send(signal.SIGKILL)
    found.kills += sum(each.code() == -signal.SIGKILL for each in clients)


def _client(toy: Jobs, chance: random.Random, found: Summary) -> Child:
    found.clients += 1
    mine = replace(toy, seed=chance.randrange(2**32))
    return Child(lambda _: mine.build_on())


def main() -> int:
    """Run the rounds of the command line and print what happened."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    began = time.monotonic()
    found = soak(asked.rounds, asked.seed)
    print(f"{found}\n{time.monotonic() - began:.0f} s")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
