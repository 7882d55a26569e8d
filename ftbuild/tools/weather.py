"""Canned weather: the same city has the same weather whenever it is asked for, and it is made up.

It follows from a digest of the city's name, so that every city has some and no file is needed. `days` among the
arguments asks for a forecast.
"""

from collections.abc import Mapping
from typing import Any

from ftbuild.digest import of_value

CONDITIONS = ("sunny", "cloudy", "partly cloudy", "light rain", "rain", "snow", "fog", "windy")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MOST_DAYS = 14


def run(_name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the weather of `city`, in `units` (celsius where none are said), or a forecast for `days`.

    Raises:
        ValueError: there is no city, or the number of days is none from 1 to 14.
    """
    city, units = arguments.get("city"), arguments.get("units", "celsius")
    if not isinstance(city, str) or not city.strip():
        raise ValueError("city is missing")
    if "days" not in arguments:
        drawn = _drawn(city, 0)
        return {
            "city": city,
            "temperature": _in(units, drawn[0]),
            "units": units,
            "conditions": CONDITIONS[drawn[1]],
            "humidity_percent": 40 + drawn[2] % 60,
            "wind_kmh": drawn[3] % 50,
        }
    days = arguments["days"]
    if type(days) is not int or not 1 <= days <= MOST_DAYS:
        raise ValueError(f"days is a number from 1 to {MOST_DAYS}")
    drawn_days = [_drawn(city, day) for day in range(1, days + 1)]
    return {
        "city": city,
        "units": units,
        "days": [
            {
                "day": DAYS[day % len(DAYS)],
                "high": _in(units, high),
                "low": _in(units, high - 3 - spread % 7),
                "conditions": CONDITIONS[condition],
            }
            for day, (high, condition, spread, _) in enumerate(drawn_days)
        ],
    }


def _drawn(city: str, day: int) -> tuple[int, int, int, int]:
    """Return what a day is made of: degrees Celsius from -8 to 35, the number of a condition, two more numbers."""
    drawn = bytes.fromhex(of_value(["weather.v1", city.strip().casefold(), day]))
    return drawn[0] % 44 - 8, drawn[1] % len(CONDITIONS), drawn[2], drawn[3]


def _in(units: object, celsius: int) -> int:
    return round(celsius * 9 / 5 + 32) if units == "fahrenheit" else celsius
