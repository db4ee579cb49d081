"""Leak tests for any table and model: what became known after a cutoff must not reach a forecast."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from caregrid.errors import CareGridError

from .. import metrics
from ..panel import SEASONS, Floats, Forecaster
from .rolling import ask, frozen
from .table import Table
from .times import STEPS, Cutoff

# A column whose steps correlate so with the steps of y at a later period is one of the future.
ALIKE = 0.98
FEWEST_CELLS = 30
# So many columns of the table, the newest, are enough to see it.
RECENT = 5000
LEAK = 3


@dataclass(frozen=True)
class Finding:
    """What the tests say of one model.

    Args:
        identical: whether noise after the cutoff left every quantile and path as it was, bit by bit.
        wis, delayed: mean weighted interval score, and the same when everything becomes known later, over
            the cells that both answer; NaN where there is no truth or no answer.
        reason: why there is no answer.
    """

    model: str
    identical: bool
    wis: float
    delayed: float
    reason: str = ""


def noised(table: Table, cutoff: Cutoff, seed: int) -> Table:
    """Return the table with noise in place of everything that is not known at a cutoff.

    That is every version of a period after it, and every version that became known later: values of y and of
    all numeric columns, and texts. Columns that are known in advance stay: they were declared to be.
    """
    rng = np.random.default_rng(seed)
    later = (table.known > cutoff.known) | (table.column > table.column_at(cutoff.at))

    def noise(values: Floats) -> Floats:
        scale = float(np.nanmax(np.abs(values), initial=1.0))
        return np.where(later & ~np.isnan(values), rng.uniform(0, 3 * scale, len(values)), values)

    texts = {
        name: (np.where(later & (codes >= 0), rng.integers(0, max(len(names), 1), len(codes)), codes), names)
        for name, (codes, names) in table.texts.items()
    }
    numbers = {
        name: values if name in table.ahead else noise(values) for name, values in table.numbers.items()
    }
    return replace(table, y=noise(table.y), numbers=numbers, texts=texts)


def delayed(table: Table, periods: int) -> Table:
    """Return the table with everything known so many periods later."""
    return replace(table, known=table.known + periods * STEPS[table.frequency])


def lateness(frequency: str, horizon: int) -> int:
    """Return by how many periods knowledge is delayed: a horizon, in whole days (H) or weeks (D).

    A value of yesterday at this hour may tell more of now than one of twelve hours ago.
    """
    season = 1 if frequency == "W" else SEASONS[frequency]
    return -(-horizon // season) * season


def refuse_columns_of_the_future(table: Table, horizon: int) -> None:
    """Refuse a column that holds y of a later period (or, known in advance, of its own), on whatever scale.

    No noise shows that: such a column is known at its cutoff, and so is in it what only came later.

    Raises:
        CareGridError: naming the column and how much later.
    """
    first = max(table.width - RECENT, 0)
    y = table.truth()[:, first:]
    for name, told in table.numbers.items():
        if name in table.static or name == table.capacity:
            continue
        values = table.newest(told, len(table.known))[:, first:]
        for later in range(0 if name in table.ahead else 1, horizon + 1):
            if not _moves_with(values, y, later):
                continue
            # Where y repeats itself to the last digit, its own past tells the future as well as a leak does.
            if any(_moves_with(y, y, later + back) for back in range(SEASONS[table.frequency] + horizon)):
                continue
            raise CareGridError(
                f"moves as y does {later} periods later: a column of the future",
                where=f"column {name}",
                fix="leave it out, or shift it to the period in which it was known",
            )


def _moves_with(values: Floats, y: Floats, later: int) -> bool:
    """Return whether steps of a column are, in half of the series, those of y some periods later.

    Steps, not levels: two series that both grow are no leak. Correlation, so that a rate of a count is found.
    """
    width = y.shape[1] - later
    if width < FEWEST_CELLS or (later == 0 and values is y):
        return False
    future, said = np.diff(y[:, later:], axis=1), np.diff(values[:, :width], axis=1)
    both = ~np.isnan(future) & ~np.isnan(said)
    count = both.sum(axis=1)
    moved = ((future != 0) & both).sum(axis=1) >= FEWEST_CELLS
    if not moved.any():
        return False

    def centred(steps: Floats) -> Floats:
        kept = np.where(both, steps, 0.0)[moved]
        mean = kept.sum(axis=1, keepdims=True) / count[moved, None]
        return np.where(both[moved], kept - mean, 0.0)

    one, other = centred(said), centred(future)
    power = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    found = (one * other).sum(axis=1) / np.maximum(power, 1e-12)
    return bool(np.median(found) >= ALIKE)


def check(
    table: Table,
    cutoff: Cutoff,
    make: Callable[[Table], Forecaster],
    horizon: int,
    quantiles: tuple[float, ...],
    seed: int = 1,
) -> Finding:
    """Put one model through the tests at one cutoff.

    Args:
        make: a new model each time. It gets the table that the panel is made of, which no honest model needs:
            a planted leak does.
    """
    other = noised(table, cutoff, seed)
    answers = []
    for one in (table, other, delayed(table, lateness(table.frequency, horizon))):
        model = make(one)
        panel = frozen(one.panel(cutoff, horizon))
        answer = ask(model, panel, quantiles)
        drawn = None
        if answer.values is not None and answer.paths is not None:
            drawn = np.asarray(answer.paths(panel, 200, seed))
        answers.append((model.name, panel, answer, drawn))
    (name, panel, first, paths), (_, _, second, paths_too), (_, panel_later, third, _) = answers
    if first.values is None or second.values is None:
        return Finding(name, first.reason == second.reason, np.nan, np.nan, first.reason or second.reason)
    same = np.array_equal(first.values, second.values, equal_nan=True)
    if paths is not None and paths_too is not None:
        same &= np.array_equal(paths, paths_too, equal_nan=True)
    truth = _truth(table, cutoff, panel.ids, horizon)
    late = np.full_like(first.values, np.nan)
    if third.values is not None:
        rows = [panel.ids.index(one) for one in panel_later.ids]
        late[rows] = third.values
    told = ~np.isnan(truth) & ~np.isnan(first.values).any(axis=2)
    both = told & ~np.isnan(late).any(axis=2)
    return Finding(
        name,
        bool(same),
        _wis(truth, first.values, both if both.any() else told, quantiles),
        _wis(truth, late, both, quantiles),
    )


def _truth(table: Table, cutoff: Cutoff, ids: tuple[str, ...], horizon: int) -> Floats:
    """Return [series, horizon] the newest values of the targets."""
    rows = [table.ids.index(name) for name in ids]
    columns = table.column_at(cutoff.at) + np.arange(1, horizon + 1)
    inside = (columns >= 0) & (columns < table.width)
    out = np.full((len(ids), horizon), np.nan)
    out[:, inside] = table.truth()[rows][:, columns[inside]]
    return out


def _wis(truth: Floats, said: Floats, cells: np.ndarray, quantiles: tuple[float, ...]) -> float:
    if not cells.any():
        return float("nan")
    return float(metrics.weighted_interval_score(truth[cells], said[cells], quantiles).mean())


def command(
    table: Table,
    cutoff: Cutoff,
    makers: Mapping[str, Callable[[], Forecaster]],
    horizon: int,
    quantiles: tuple[float, ...],
    say: Callable[[str], None],
    seed: int = 1,
) -> int:
    """Test every model at one cutoff, say what was found; LEAK when the future reached a forecast, else 0."""
    found = 0
    for name, make in makers.items():
        finding = check(table, cutoff, lambda _, make=make: make(), horizon, quantiles, seed)  # type: ignore[misc]
        if finding.reason:
            say(f"{name}: no answer at {cutoff}: {finding.reason}")
            continue
        verdict = (
            "unchanged by noise after the cutoff" if finding.identical else "LEAK: the future changes it"
        )
        late = "no answer" if np.isnan(finding.delayed) else f"{finding.delayed:.4g}"
        when = f"if all is known {lateness(table.frequency, horizon)} periods later"
        score = "no truth" if np.isnan(finding.wis) else f"WIS {finding.wis:.4g}"
        say(f"{name}: {verdict}; {score}, {late} {when}")
        found = found if finding.identical else LEAK
    return found
