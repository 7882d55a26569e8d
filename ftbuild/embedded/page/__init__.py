"""The page at /: what the server's own routes tell, for people. One file of HTML, style and script; no build step.

It holds nothing of anybody, so it needs no token; what it then shows it asks for with the token, which comes in the
fragment of its address, where no request and no log has it.
"""

from functools import cache
from pathlib import Path
from typing import Any

from starlette.responses import HTMLResponse

from ftbuild.report import onefile

HERE = Path(__file__).parent
HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


@cache
def _text() -> str:
    return onefile.render(HERE / "page.html.j2", {}, HERE / "page.js", (onefile.HOUSE_STYLE, HERE / "page.css"))


async def page(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the page."""
    await HTMLResponse(_text(), headers=HEADERS)(scope, receive, send)
