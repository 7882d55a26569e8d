"""How many answers say exactly what the message said: a blind sheet to judge, and its tally.

    python -m tests.bench.faithfulness sheet outputs/runs/latest SHEET.jsonl
    python -m tests.bench.faithfulness reveal outputs/runs/latest VERDICTS.jsonl REVEALED.jsonl
    python -m tests.bench.faithfulness tally REVEALED.jsonl

The sheet holds 60 unseen test examples, each answered by three arms; the arm is hidden and the
order shuffled. Whoever judges adds to every line "faithful": true or false, and "why" where it is
false; `reveal` adds the arms afterwards. The last judging, by a language model told to be strict, is
faithfulness.jsonl beside this file.
"""

import hashlib
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ARMS = ("base", "rules", "tuned")
N_EXAMPLES = 60
SEED = 60


def items(run: Path) -> Iterator[dict[str, Any]]:
    """Yield the answers to judge, in the order of the sheet; `arm` is for the tally alone."""
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    unseen = [each for each in report["examples"] if each["slices"]["source"] == "unseen"]
    draw = random.Random(SEED)
    chosen = draw.sample(sorted(unseen, key=lambda each: each["id"]), min(N_EXAMPLES, len(unseen)))
    found = [
        {
            "item": hashlib.sha256(f"{SEED} {each['id']} {arm}".encode()).hexdigest()[:10],
            "arm": arm,
            "message": each["input"],
            "answer": each["answers"][arm],
        }
        for each in chosen
        for arm in ARMS
    ]
    draw.shuffle(found)
    yield from found


def write_sheet(run: Path, path: Path) -> None:
    """Write the sheet without the arms."""
    lines = ({name: each[name] for name in ("item", "message", "answer")} for each in items(run))
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def reveal(run: Path, verdicts: Path, path: Path) -> None:
    """Write the verdicts with the arm of each."""
    arms = {each["item"]: each["arm"] for each in items(run)}
    lines = [json.loads(line) for line in verdicts.read_text(encoding="utf-8").splitlines()]
    revealed = ({"arm": arms[line["item"]], **line} for line in lines)
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in revealed), encoding="utf-8")


def tally(path: Path) -> dict[str, tuple[int, int]]:
    """Return (faithful, judged) per arm."""
    counts = dict.fromkeys(ARMS, (0, 0))
    for line in path.read_text(encoding="utf-8").splitlines():
        verdict = json.loads(line)
        faithful, judged = counts[verdict["arm"]]
        counts[verdict["arm"]] = (faithful + bool(verdict["faithful"]), judged + 1)
    return counts


def main() -> None:
    """Run the command line."""
    match sys.argv[1:]:
        case ["sheet", run, path]:
            write_sheet(Path(run), Path(path))
        case ["reveal", run, verdicts, path]:
            reveal(Path(run), Path(verdicts), Path(path))
        case ["tally", path]:
            for arm, (faithful, judged) in tally(Path(path)).items():
                print(f"{arm:6} {faithful} of {judged} faithful")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
