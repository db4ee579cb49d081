"""The model: present patients by how long they have stayed, and arrivals by the hour of the week."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..panel import Floats, Ints, Panel
from .arrivals import WEEK, arrivals_of, rhythm
from .counts import quantiles_of, survivors_and_arrivals
from .lengths import Hazard, hazard_of
from .stays import OPEN, Stays, read_stays

HOUR = 3_600_000_000
# How far back departures and arrivals are learned from, in hours: a year, and half a year.
LENGTHS_FROM, RHYTHM_FROM = 52 * WEEK, 26 * WEEK
POOLED_STAYS = 50.0  # stays of all places count as so many of a place's own
RECENT = 28  # periods whose beds are compared with what the stays make


class Census:
    """Model of occupied beds for a table whose series are the places of a file of stays."""

    name = "census"

    def __init__(self, stays: Stays | Path | str, counted: float = 0.0) -> None:
        """Read the stays once.

        Args:
            stays: the file (see `read_stays`), or the stays.
            counted: hours after `ds` at which beds are counted: 0 for its first instant, 24 for a day's last.
        """
        self.stays = stays if isinstance(stays, Stays) else read_stays(stays)
        self.counted = counted

    def fit(self, panel: Panel) -> FittedCensus:
        """Learn how fast patients leave and come from what was known at the panel's cutoff."""
        known = self.stays.known_at(panel.cutoff)
        first = max(known.begun(), panel.cutoff - LENGTHS_FROM * HOUR)
        recent = known.of((known.end > first) & np.isin(known.place, panel.ids))
        return FittedCensus(recent, (first - panel.cutoff) / HOUR, self.counted, panel)


class FittedCensus:
    """What the stays of places tell at a cutoff. Hours are counted from it: hour u lies in (u, u + 1]."""

    def __init__(self, stays: Stays, first: float, counted: float, panel: Panel) -> None:
        """Learn how fast patients leave, and come, by length of stay and hour of the week.

        Args:
            first: hour from which on all stays are told.
        """
        self.reasons = {
            one: "no stay of the last year is known" for one in panel.ids if one not in stays.place
        }
        self.places = sorted(one for one in panel.ids if one not in self.reasons)
        self.row = np.searchsorted(self.places, stays.place)
        self.begin = (stays.begin - panel.cutoff) / HOUR
        self.here = stays.end == OPEN
        self.length = (np.where(self.here, panel.cutoff, stays.end) - stays.begin) / HOUR
        self.counted = counted
        self.how = _differing(stays, self.places, counted, panel)
        if self.places:
            past = np.arange(-RHYTHM_FROM, 0)
            week = np.stack([self._week(panel, row, past) for row in range(len(self.places))])
            whole = min(max(int(np.ceil(first)), -RHYTHM_FROM), -1)
            self.hazards = self._hazards(first)
            self.leaving = self._leaving(week, whole)
            self.arrivals = arrivals_of(self.row, _hour(self.begin) + RHYTHM_FROM, week, whole + RHYTHM_FROM)

    def _week(self, panel: Panel, row: int, hours: Ints) -> Ints:
        """Return the hour of the week of hours after the cutoff, by the clock of a place."""
        at = np.floor(panel.cutoff / HOUR + hours + 0.5).astype(np.int64)
        if panel.clock is not None:
            times = panel.times.astype("datetime64[h]").astype(np.int64)
            column = np.clip(np.searchsorted(times, at, "right") - 1, 0, None)
            at = at + panel.clock[panel.ids.index(self.places[row]), column]
        return at % WEEK

    def _hazards(self, first: float) -> list[Hazard]:
        """Return each place's hazard; the stays of all places count as a few of its own."""
        entered = np.where(self.begin < first, first - self.begin, -1.0)
        weights = [(self.row == at) + POOLED_STAYS / len(self.row) for at in range(len(self.places))]
        return [hazard_of(self.length, ~self.here, entered, each) for each in weights]

    def _leaving(self, week: Ints, whole: int) -> Floats:
        """Return [place, hour of the week] departures beside those expected by length of stay.

        Args:
            week: [place, hour] hour of the week of the hours up to the cutoff.
            whole: hour from which on departures count.
        """
        events, expected = np.zeros((2, len(self.places), WEEK))
        for row, hazard in enumerate(self.hazards):
            own = np.flatnonzero((self.row == row) & (self.begin + self.length > whole))
            begin, length = self.begin[own], self.length[own]
            first, last = _hour(begin), _hour(begin + length)
            start = np.maximum(first, whole)
            hours = last - start + 1
            each = np.repeat(np.arange(len(own)), hours)
            hour = np.arange(len(each)) - np.repeat(np.cumsum(hours) - hours - start, hours)
            reached = np.where(hour == last[each], length[each], hour + 1 - begin[each])
            before = np.where(hour == first[each], -1.0, hour - begin[each])
            expected[row] = np.bincount(week[row, hour], hazard.at(reached) - hazard.at(before), WEEK)
            events[row] = np.bincount(week[row, last[~self.here[own]]], minlength=WEEK)
        return rhythm(events, expected)

    def predict(self, panel: Panel, quantiles: tuple[float, ...]) -> Floats:
        """Return [series, horizon, quantile]; NaN for places without stays."""
        out = np.full((len(panel.ids), panel.horizon, len(quantiles)), np.nan)
        moments = panel.times[panel.width :].astype("datetime64[us]").astype(np.int64)
        leads = np.maximum((moments - panel.cutoff) / HOUR + self.counted, 0.0)
        days = np.maximum(np.ceil(leads / 24 - 1e-6).astype(np.int64) - 1, 0)
        hours = np.arange(max(int(np.ceil(leads.max())), 1) + 1)
        for row, place in enumerate(self.places):
            week = self._week(panel, row, hours[:-1])
            hazard, faster = self.hazards[row], self.leaving[row, week]
            stayed = self.length[self.here & (self.row == row)]
            gone = (np.diff(hazard.at(stayed[:, None] + hours), axis=1) * faster).cumsum(axis=1)
            staying = np.exp(-_between(np.pad(gone, ((0, 0), (1, 0))), leads))
            # Who comes does so in the middle of an hour.
            steps = np.diff(hazard.at(hours - 0.5))
            age = hours[None, :-1] - hours[:-1, None]
            lost = (np.where(age >= 0, steps[age], 0.0) * faster).cumsum(axis=1)
            arrivals = self.arrivals.level[row] * self.arrivals.rhythm[row, week]
            came = _between(np.pad(arrivals @ np.where(age >= 0, np.exp(-lost), 0.0), (1, 0))[None], leads)[0]
            spread = self.arrivals.spread[row, np.minimum(days, self.arrivals.spread.shape[1] - 1)]
            for step in range(panel.horizon):
                chances = survivors_and_arrivals(staying[:, step], came[step], spread[step])
                out[panel.ids.index(place), step] = quantiles_of(chances, quantiles)
        return out


def _hour(at: Floats) -> Ints:
    """Return the hours that moments after (or before) the cutoff lie in."""
    return np.ceil(at).astype(np.int64) - 1


def _between(values: Floats, at: Floats) -> Floats:
    """Return [row, place on the line] of values that are told at 0, 1, 2 … along the last axis."""
    below = np.minimum(at.astype(np.int64), values.shape[1] - 2)
    return values[:, below] + (at - below) * (values[:, below + 1] - values[:, below])


def _differing(stays: Stays, places: list[str], counted: float, panel: Panel) -> dict[str, str]:
    """Return {place: how far its stays are from its series}, where it is over a tenth and over one bed."""
    said = {}
    moments = panel.times[: panel.width].astype("datetime64[us]").astype(np.int64) + int(counted * HOUR)
    for place in places:
        y = panel.y[panel.ids.index(place)]
        known = np.flatnonzero(~np.isnan(y) & (moments <= panel.cutoff))[-RECENT:]
        made = stays.of(stays.place == place).census(moments[known])
        if len(known) and np.median(np.abs(made - y[known])) > max(1.0, 0.1 * np.median(y[known])):
            said[place] = (
                f"its stays make {np.median(made):g} beds where the series says {np.median(y[known]):g}"
            )
    return said
