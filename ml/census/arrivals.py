"""Arrivals: their rhythm over the week, today's level, and how far off such levels were."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..panel import Floats, Ints

WEEK = 168
POOLED_EVENTS = 10.0  # where as many are expected, what others say counts half
HALF_LIFE = 21  # days after which an arrival counts half in today's level
FEWEST_DAYS = 28  # of arrivals before the first day whose forecast is compared with what came


@dataclass(frozen=True)
class Arrivals:
    """What past arrivals tell.

    Args:
        rhythm: [place, hour of the week] about a mean of 1; level: [place] per hour today.
        spread: [place, days ahead] variance of the number that comes beyond Poisson's, over its mean squared.
    """

    rhythm: Floats
    level: Floats
    spread: Floats


def rhythm(events: Floats, expected: Floats) -> Floats:
    """Return [place, hour of the week] how many times as many events there are as expected.

    Each place's own are drawn towards all places', and those towards hour of the day by day of the week, as a
    gamma prior does (Gelman et al. 2013, Bayesian Data Analysis, 2.6).
    """
    came, usual = (each.sum(axis=0).reshape(WEEK // 24, 24) for each in (events, expected))
    by_hour = _drawn(came.sum(axis=0), usual.sum(axis=0), 1.0)
    by_day = _drawn(came.sum(axis=1, keepdims=True), usual.sum(axis=1, keepdims=True), 1.0)
    return _drawn(events, expected, _drawn(came, usual, by_hour * by_day).ravel())


def _drawn(events: Floats, expected: Floats, prior: Floats | float) -> Floats:
    """Return events beside those expected, drawn towards what is said of others."""
    return (events + POOLED_EVENTS * prior) / (expected + POOLED_EVENTS)


def arrivals_of(place: Ints, hour: Ints, week: Ints, first: int) -> Arrivals:
    """Return what past arrivals tell; a place's begin with its first.

    Args:
        place, hour: [arrival] row and column of `week`; hours before `first` do not count.
        week: [place, hour] hour of the week of the last hours, whole days of them.
        first: hour from which on all arrivals are told.
    """
    count, hours = week.shape
    came = np.zeros((count, hours))
    told = hour >= first
    np.add.at(came, (place[told], hour[told]), 1.0)
    since = np.full(count, hours)
    np.minimum.at(since, place, np.maximum(hour, first))
    known = np.arange(hours) >= since[:, None]

    def by_week(values: Floats) -> Floats:
        return np.stack([np.bincount(week[at], values[at], WEEK) for at in range(count)])

    mean = came.sum(axis=1, keepdims=True) / np.maximum(known.sum(axis=1, keepdims=True), 1)
    shape = rhythm(by_week(came), by_week(known * mean))
    usual = known * np.take_along_axis(shape, week, axis=1)
    daily, size = (each.reshape(count, -1, 24).sum(axis=2) for each in (came, usual))
    weight = 0.5 ** (np.arange(daily.shape[1])[::-1] / HALF_LIFE)
    weighed = (daily * weight).cumsum(axis=1)
    levels = weighed / np.maximum((size * weight).cumsum(axis=1), 1e-9 * weight)
    # The level's own uncertainty: weights that halve so count for twice their sum.
    least = 1 / (1 + 2 * weighed[:, -1:])
    return Arrivals(shape, levels[:, -1], np.maximum(_spread(daily, size, levels), least))


def _spread(daily: Floats, size: Floats, levels: Floats) -> Floats:
    """Return [place, days ahead] how far earlier days' levels were off, beyond chance.

    The mean of (n - m)^2 - m over that of m^2, where n came over the days ahead and m were expected: method
    of moments (Johnson, Kemp & Kotz 2005, Univariate Discrete Distributions, 5.8). Half of it is all places'.

    Args:
        daily, size, levels: [place, day] arrivals, those that a level of 1 makes expected, and the level.
    """
    off, square = np.zeros((2, len(daily), daily.shape[1] // 2))
    days = (size > 0).cumsum(axis=1)
    so_far = [np.cumsum(each, axis=1) for each in (daily, size)]
    for ahead in range(1, off.shape[1] + 1):
        came, usual = (each[:, ahead:] - each[:, :-ahead] for each in so_far)
        said = np.where(days[:, :-ahead] >= FEWEST_DAYS, levels[:, :-ahead] * usual, 0.0)
        off[:, ahead - 1] = np.where(said > 0, (came - said) ** 2 - said, 0.0).sum(axis=1)
        square[:, ahead - 1] = (said**2).sum(axis=1)
    of_all = off.sum(axis=0) / np.maximum(square.sum(axis=0), 1e-9)
    own = np.where(square > 0, off / np.maximum(square, 1e-9), of_all)
    return (own + of_all) / 2
