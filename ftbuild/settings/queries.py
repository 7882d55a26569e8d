"""What a query must be for the same file to give the same lines: one, that says its order, and asks no clock or chance.

Reads the text alone, whatever the dialect, and knows no database. Strings, names in quotes, comments and what stands in
brackets say nothing of the order of the whole.
"""

import re

SAID_APART = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/""", re.DOTALL)
BRACKETS = re.compile(r"\([^()]*\)")
BEGINS = re.compile(r"\s*(select|with|from|values)\b", re.IGNORECASE)
ORDERED = re.compile(r"\border\s+by\b", re.IGNORECASE)
CHANGING = re.compile(
    r"\b(random|randomblob|uuid|uuidv4|uuidv7|gen_random_uuid|setseed|nextval|now|today|get_current_timestamp)\s*\("
    r"|\b(current_timestamp|current_date|current_time|localtime|localtimestamp)\b|\b(tablesample|using\s+sample)\b",
    re.IGNORECASE,
)


def wrong(query: str) -> str | None:
    """Return why a query would not always find the same lines, None if nothing speaks against it."""
    said = SAID_APART.sub(lambda found: "''" if found[0][0] == "'" else " ", query).strip().rstrip(";")
    if not BEGINS.match(said):
        return "query does not begin with SELECT, WITH or FROM"
    if ";" in said:
        return "query holds more than one statement"
    if changing := CHANGING.search(said):
        return f"query asks {' '.join(changing[0].rstrip(' (').split())}, which gives something else each time"
    outer = said
    while (fewer := BRACKETS.sub(" ", outer)) != outer:
        outer = fewer
    if not ORDERED.search(outer):
        return "query has no ORDER BY: a table has no order of its own, so say one, with ties resolved"
    return None
