"""The report as one HTML file.

Owns the template environment: everything escaped, style and script inlined, a content policy that lets
the page load nothing from anywhere and run no script but its own. Knows nothing of what is shown.
"""

import base64
from pathlib import Path

from ftbuild.digest import of_bytes
from ftbuild.report.input import ReportInput
from ftbuild.report.view import view

TEMPLATES = Path(__file__).parent / "templates"


def render(report_input: ReportInput, *, examples: bool = True) -> str:
    """Return the page; the same input gives the same text. Without `examples` it holds no conversation."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["drawing"] = Markup
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    return environment.get_template("report.html.j2").render(
        view(report_input, examples=examples),
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_digest=base64.b64encode(bytes.fromhex(of_bytes(script.encode()))).decode(),
    )
