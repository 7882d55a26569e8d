"""An HTML page that is one file: everything escaped, style and script inlined.

Owns the template environment and the look of the house. The digest of the script is for the page's content policy,
which lets no other run. Knows nothing of what is shown.
"""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ftbuild.digest import of_bytes

TEMPLATES = Path(__file__).parent / "templates"
HOUSE_STYLE = TEMPLATES / "report.css"


def render(template: Path, values: Mapping[str, Any], script: Path, styles: Sequence[Path] = (HOUSE_STYLE,)) -> str:
    """Return the page of a template, which may include others of its folder; the same input gives the same text."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["drawing"] = Markup
    said = script.read_text(encoding="utf-8")
    return environment.get_template(template.name).render(
        values,
        style=Markup("".join(path.read_text(encoding="utf-8") for path in styles)),
        script=Markup(said),
        script_digest=base64.b64encode(bytes.fromhex(of_bytes(said.encode()))).decode(),
    )
