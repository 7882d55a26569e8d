"""The report as one HTML file, whose content policy lets it load nothing from anywhere."""

from ftbuild.report import onefile
from ftbuild.report.input import ReportInput
from ftbuild.report.view import view


def render(report_input: ReportInput, *, examples: bool = True) -> str:
    """Return the page; the same input gives the same text. Without `examples` it holds no conversation."""
    values = view(report_input, examples=examples)
    return onefile.render(onefile.TEMPLATES / "report.html.j2", values, onefile.TEMPLATES / "report.js")
