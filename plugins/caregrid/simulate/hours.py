"""What each hour asks of the network: season, weekday, holiday, time of day, epidemic, outage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import holidays
import numpy as np

from caregrid.simulate.randomness import stream

# Share of a day's arrivals by hour: quiet before dawn, two humps at mid-morning and early evening.
_HOURLY = np.array(
    [
        2.2,
        1.7,
        1.4,
        1.2,
        1.2,
        1.5,
        2.3,
        3.5,
        5.0,
        6.4,
        7.0,
        6.9,
        6.2,
        5.8,
        5.6,
        5.5,
        5.6,
        5.9,
        6.2,
        6.0,
        5.3,
        4.4,
        3.6,
        2.9,
    ]
)
_WEEKDAY = np.array([1.12, 1.03, 0.99, 0.98, 1.00, 0.94, 0.94])  # Monday first
_EPIDEMIC_PEAK = 0.45  # at its height an epidemic adds this share of arrivals
_EPIDEMIC_WIDTH_DAYS = 11.0


@dataclass(frozen=True)
class Hours:
    """The clock of one run. All arrays have one entry per hour; `outage` has shape (hours, hospitals)."""

    starts: list[datetime]  # local wall-clock time
    hour: np.ndarray
    weekday: np.ndarray  # 0 is Monday
    holiday: np.ndarray
    demand: np.ndarray  # multiplies a facility's mean arrivals per hour
    elective: np.ndarray  # 1 on working days in working hours, else near 0
    epidemic: np.ndarray  # 0 to 1
    outage: np.ndarray  # True: the hospital sends nothing and works with a third fewer staff


def build_hours(seed: int, start: date, days: int, hospitals: int) -> Hours:
    """Return the clock of `days` whole local days from `start`."""
    rng = stream(seed, "calendar")
    first = datetime(start.year, start.month, start.day)  # noqa: DTZ001  (local wall-clock by design)
    starts = [first + timedelta(hours=step) for step in range(days * 24)]
    hour = np.array([moment.hour for moment in starts])
    weekday = np.array([moment.weekday() for moment in starts])
    public = holidays.country_holidays("HK", years=sorted({moment.year for moment in starts}))
    holiday = np.array([moment.date() in public for moment in starts])
    day_of_year = np.array([moment.timetuple().tm_yday for moment in starts])
    season = 1.0 + 0.10 * np.cos(2 * np.pi * (day_of_year - 25) / 365.25)  # highest late in January
    peak = float(rng.uniform(0.45, 0.85)) * days
    position = np.arange(len(starts)) / 24.0
    epidemic = np.exp(-0.5 * ((position - peak) / _EPIDEMIC_WIDTH_DAYS) ** 2)
    demand = (
        _HOURLY[hour]
        / _HOURLY.mean()
        * _WEEKDAY[weekday]
        * season
        * np.where(holiday, 0.93, 1.0)
        * (1.0 + _EPIDEMIC_PEAK * epidemic)
    )
    working = (weekday < 5) & ~holiday
    elective = np.where(working & (hour >= 8) & (hour < 17), 1.0, np.where(working, 0.02, 0.01))
    return Hours(
        starts, hour, weekday, holiday, demand, elective, epidemic, _outages(rng, len(starts), hospitals)
    )


def _outages(rng: np.random.Generator, hours: int, hospitals: int) -> np.ndarray:
    """Return outages: about one per hospital and month, lasting 2 to 14 hours, none on the last two days."""
    outage = np.zeros((hours, hospitals), dtype=bool)
    for hospital in range(hospitals):
        for _ in range(int(rng.poisson(hours / 24 / 30))):
            begin = int(rng.integers(0, max(1, hours - 72)))
            outage[begin : begin + int(rng.integers(2, 15)), hospital] = True
    return outage
