"""The reports as one HTML file each, whose content policy lets it load nothing from anywhere."""

from ftbuild.report import onefile
from ftbuild.report.input import ReportInput
from ftbuild.report.sweep_input import SweepInput
from ftbuild.report.sweep_view import sweep_view
from ftbuild.report.view import view


def render(report_input: ReportInput, *, examples: bool = True) -> str:
    """Return the page; the same input gives the same text. Without `examples` it holds no conversation."""
    values = view(report_input, examples=examples)
    return onefile.render(onefile.TEMPLATES / "report.html.j2", values, onefile.TEMPLATES / "report.js")


def render_sweep(sweep: SweepInput) -> str:
    """Return the page of a sweep; the same input gives the same text."""
    own = onefile.TEMPLATES
    styles = (onefile.HOUSE_STYLE, own / "sweep.css")
    return onefile.render(own / "sweep.html.j2", sweep_view(sweep), own / "sweep.js", styles)
