"""How a build ends, as CI reads it."""

from xml.etree import ElementTree

from report_fixture import report_input

from ftbuild.cli.gate_text import Ended, github, markdown, xml

RESULTS = report_input().results
ENDED = [Ended("tone_formal", "BETTER, goal met", RESULTS), Ended("tone_formal n=2", "no disk", None)]
