"""A project that is ready to pay a provider of its own making: a loopback server that remembers what it was asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from config_fixture import Own
from hosted_fixture import AT_ELSEWHERE, PROFILE, profile
from stub_server import Stub, refusal, stub

from ftbuild.ledger.budget import LINES

MODEL, JOBS = "/models/tiny", "/fine_tuning/jobs"
HERE = {"id": "tiny", "object": "model"}
PAID = r"one paid job, (under \$0\.01|about \$\d\.\d\d) in all at prices of 2026-11"


def built_in(folder: Path) -> Own:
    """Give a project whose data is built already: what is refused now is refused before money."""
    own = Own(folder)
    own.write("conf/provider/elsewhere.yaml", profile())
    assert own.run("dataset", *AT_ELSEWHERE).code == 0
    return own


@contextmanager
def elsewhere() -> Iterator[Stub]:
    """Give a provider that has the model and answers nothing yet."""
    with stub() as served:
        served.answers[f"GET {MODEL}"] = [(200, HERE)]
        served.answers["POST /chat/completions"] = [refusal(400, "no room today")]
        yield served


def as_new(own: Own, server: Stub) -> None:
    """Let the project have reserved nothing, and pay at that server."""
    (ledger(own) / LINES).unlink(missing_ok=True)
    changed(own, server)


def changed(own: Own, server: Stub, **values: Any) -> None:
    own.write("conf/provider/elsewhere.yaml", profile(base_url=server.url, **values))


def ledger(own: Own) -> Path:
    return own.folder / "outputs" / "smoke" / ".ftbuild" / "ledger"


def dear(usd: float) -> dict[str, Any]:
    """Return models whose training costs so much a million tokens."""
    return {"tiny": PROFILE["models"]["tiny"] | {"usd_training": usd}}
