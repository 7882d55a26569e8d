"""What the answers of an arm took: time, tokens, money. What no model was asked for has none of them."""

from collections.abc import Mapping
from statistics import fmean, median
from typing import Any

from ftbuild.runners.formats import parse_lines
from ftbuild.stream import Content

UNASKED = "none"  # the finish reason where no model was asked


def usage(predictions: Content, prices: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return what an answer of an arm took in the mean, None where no model was asked.

    `seconds` is the time until the answer was there, as measured when it was asked for, its median and the one that
    95 of 100 stay within; `usd` follows from the tokens and the prices (US dollars a million), and is None, unknown,
    where a price or the tokens are not known.
    """
    asked = [each for each in parse_lines(predictions) if each["finish_reason"] != UNASKED]
    if not asked:
        return None
    times = sorted(each["latency_seconds"] for each in asked)
    read, written = (fmean(each[name] for each in asked) for name in ("prompt_tokens", "completion_tokens"))
    prices = prices or {}
    known = read > 0 and None not in (prices.get("input"), prices.get("output"))
    free = prices.get("input") == 0 == prices.get("output")
    usd = 0.0 if free else (read * prices["input"] + written * prices["output"]) / 1e6 if known else None
    return {
        "n": len(asked),
        "seconds": round(median(times), 3),
        "seconds_95": times[-(-95 * len(times) // 100) - 1],
        "tokens_read": round(read, 1) if read else None,
        "tokens_written": round(written, 1) if read else None,
        "usd": usd,
        "as_of": prices.get("as_of"),
    }
