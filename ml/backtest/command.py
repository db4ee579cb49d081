"""The command line: `python -m ml.backtest --series FILE --freq D --cutoffs A:B:STEP --out DIR …`."""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from typing import Any

import numpy as np
from caregrid.errors import CareGridError

from .. import folders
from ..evaluation import hub, report
from ..evaluation.cells import Cells
from ..panel import WHOLE_QUANTILES, Forecaster
from ..words import many
from . import asking, files, hierarchy, judging, leaks, models, nowcasts, records, reuse, times
from .plugins import Command
from .rolling import Plan, Told, run
from .table import Table

UNANSWERED = ("cutoff", "model", "unique_id", "periods", "reason")
REMARKS = ("cutoff", "model", "unique_id", "how")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when it is done, 1 when something was refused, 3 when a leak was found."""
    try:
        options = asking.parser().parse_args(arguments)
        try:
            return back_test(options)
        except OSError as error:  # while reading: what is written is told of below
            raise folders.unread(error, str(options.series)) from error
    except CareGridError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def back_test(options: argparse.Namespace) -> int:
    """Read, forecast from every cutoff, write, score.

    Raises:
        CareGridError: for input or options that cannot be used.
    """
    started = time.time()
    asking.check(options)
    cutoffs = times.cutoffs(options.cutoffs, options.freq, asking.zone_of(options))
    listed, absent = _models(options)
    if not options.leak_check:
        folders.made(options.out)
    table = asking.table_of(options)
    as_of = asking.as_of(options)
    for note in table.notes:
        _say(note)
    for name, why in absent.items():
        _say(f"{name} is left out: {why}")
    leaks.refuse_columns_of_the_future(table, options.horizon)
    if options.leak_check:
        makers = {model.name: partial(_made_anew, options, at) for at, model in enumerate(listed)}
        return leaks.command(table, cutoffs[0], makers, options.horizon, WHOLE_QUANTILES, _say, options.seed)
    asked = records.asked_of(options, cutoffs)
    if options.reuse:
        reuse.check(options.reuse, asked)
        listed = _reusing(options, listed, {cutoff.known: cutoff for cutoff in cutoffs})
    plan = Plan(
        horizon=options.horizon,
        quantiles=WHOLE_QUANTILES,
        paths_of=_paths_of(options, listed),
        path_count=options.path_count,
        seed=options.seed,
        sums=hierarchy.sums_of(table, asking.listed(options.hierarchy)),
    )
    others, left_out, names = _others(options, table, cutoffs, [model.name for model in listed])
    champion = judging.champion(options.champion, names)
    asked_about = judging.judged(names, champion, asking.baseline_of(options))
    if asked_about and champion is None:
        _say(f"gate: {judging.OURS} is not in this run; --champion names whose place is asked for")
    elif options.champion and not asked_about:
        _say(f"gate: no model of this run is judged in place of {champion}")
    with folders.writing(options.out):
        records.begin(options, asked)
        with (
            files.Writer(options.out / files.FORECASTS) as forecasts,
            files.Writer(options.out / files.PATHS) as paths,
        ):
            told = run(table, cutoffs, listed, plan, forecasts, paths if plan.paths_of else None, _say)
            if others is not None:
                forecasts.write(others)
        files.write_csv(options.out / "unanswered.csv", UNANSWERED, told.unanswered)
        files.write_csv(options.out / "remarks.csv", REMARKS, told.remarks)
        _say(f"{many(len(told.unanswered), 'line')} in unanswered.csv, {len(told.remarks)} in remarks.csv")
        info = records.info_of(
            options, asking.baseline_of(options), asked, table, told, absent, plan, time.time() - started
        )
        info["left_out"] = left_out
        records.write_info(options.out, info)
        silent = told.silent([model.name for model in listed])
        if len(silent) == len(listed):
            _tell(silent)
            raise CareGridError(
                "no model answered anything",
                where=str(options.series),
                fix="see unanswered.csv for the reasons",
            )
        _score(options, table, told, plan, as_of, info, champion, asked_about)
        _tell(silent)
    return 0


def _tell(silent: dict[str, str]) -> None:
    """Say which models have answered nothing at all, where it is not overlooked: at the end."""
    for name, why in silent.items():
        _say(f"{name} answered nothing: {why}")


def _score(
    options: argparse.Namespace,
    table: Table,
    told: Told,
    plan: Plan,
    as_of: int | None,
    info: dict[str, Any],
    champion: str | None,
    asked_about: list[str],
) -> None:
    """Write what scores need, and the scores if the truth of any target is known."""
    if told.nowcasts.seen:
        rows = told.nowcasts.rows(table, table.truth(as_of))
        files.write_csv(options.out / "nowcast.csv", nowcasts.COLUMNS, rows)
    truth, history, capacity = records.write_frames(options, table, told, plan, as_of)
    if not records.any_truth(options.out / files.FORECASTS, truth):
        _say(
            f"forecasts are in {options.out / files.FORECASTS}; no target has a truth yet: nothing is scored"
        )
        return
    _say(f"forecasts are in {options.out / files.FORECASTS}; scoring them")
    drawn = options.out / files.PATHS

    def judge(cells: Cells) -> dict[str, Any]:
        if champion is None:
            return {}
        found = judging.judge(cells, table, asked_about, champion, info["baseline"], options.series.name)
        for name, beside, answer, reason in found["verdicts"].iter_rows() if found else ():
            _say(f"gate: {name} in place of {beside}: {answer} ({reason})")
        return found

    report.write(
        options.out,
        options.out / files.FORECASTS,
        drawn if plan.paths_of and drawn.is_file() else None,
        truth,
        history,
        capacity if options.capacity else None,
        info,
        judge,
    )
    _say(f"scores are in {options.out / 'scores.csv'}, all of it in {options.out / 'report.html'}")


def _others(
    options: argparse.Namespace, table: Table, cutoffs: list[times.Cutoff], names: list[str]
) -> tuple[Any, dict[str, int], list[str]]:
    """Return others' rows (None for none), what of them has no place, and the names of all models.

    Raises:
        CareGridError: nobody is the baseline.
    """
    others: Any = None
    left_out: dict[str, int] = {}
    if options.external:
        others, left_out = _beside(options, table, cutoffs, names)
        names = [*names, *others["model"].unique().to_pylist()]
    if asking.baseline_of(options) not in names:
        raise CareGridError(
            f"there is no model {asking.baseline_of(options)!r} in this run",
            where="--baseline",
            fix=f"name one of {', '.join(dict.fromkeys((*names, *models.ALWAYS)))}",
        )
    return others, left_out, names


def _beside(
    options: argparse.Namespace, table: Table, cutoffs: list[times.Cutoff], names: list[str]
) -> tuple[Any, dict[str, int]]:
    """Return others' submissions as rows of ours, and {why: number} of what has no place beside them.

    Raises:
        CareGridError: they cannot be read, none is about a target of ours, or one bears a name of ours.
    """
    import polars as pl

    count = options.horizon
    first = [table.column_at(cutoff.at) + 1 for cutoff in cutoffs]
    targets = np.concatenate([table.times(at, count) for at in first]).astype("datetime64[us]")
    cells = pl.DataFrame(
        {
            "cutoff": pl.Series(np.repeat([cutoff.label for cutoff in cutoffs], count)),
            "ds": pl.Series(targets),
            "horizon": np.tile(np.arange(1, count + 1), len(cutoffs)),
        }
    ).join(pl.DataFrame({"unique_id": pl.Series(table.ids, dtype=pl.String)}), how="cross")
    found = hub.read(options.external, options.external_target)
    same = set(found.rows["model"].unique()) & set(names)
    if same:
        raise CareGridError(
            f"{', '.join(sorted(same))} is the name of a model of this run",
            where="--external",
            fix="rename the folder or the files of that model",
        )
    return files.external_rows(hub.align(found, cells)), dict(found.left_out)


def _models(options: argparse.Namespace) -> tuple[list[Forecaster], dict[str, str]]:
    """Return the models that are asked for, and {name: why it is left out}."""
    names = [*asking.listed(options.models)]
    # What relative scores divide by has to be there, whatever else is asked for.
    names += [asking.baseline_of(options)] if asking.baseline_of(options) in models.ALWAYS else []
    listed, absent = models.named(names)
    for model in listed:
        if isinstance(model, Command):
            model.time_limit = options.model_time_limit
    return listed, absent


def _made_anew(options: argparse.Namespace, at: int) -> Forecaster:
    """Return one of the models as if nothing had been asked of it before."""
    return _models(options)[0][at]


def _paths_of(options: argparse.Namespace, listed: list[Forecaster]) -> tuple[str, ...]:
    """Return the models whose paths are written: by default ours, anybody's, and the baseline."""
    names = tuple(model.name for model in listed)
    if options.paths in ("all", "none"):
        return names if options.paths == "all" else ()
    wanted = asking.listed(options.paths)
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise CareGridError(
            f"there is no model {unknown[0]!r} in this run", where="--paths", fix=", ".join(names)
        )
    plain = set(models.ALWAYS) - {asking.baseline_of(options)}
    return wanted or tuple(name for name in names if name not in plain)


def _reusing(
    options: argparse.Namespace, listed: list[Forecaster], by_known: dict[int, Any]
) -> list[Forecaster]:
    """Return the models, those that are not to be made anew as they are in the earlier run."""
    others = {model.name for model in listed} - set(models.ALWAYS)
    anew = others if options.anew is None else set(asking.listed(options.anew))
    unknown = anew - {model.name for model in listed}
    if unknown:
        raise CareGridError(
            f"there is no model {min(unknown)!r} in this run",
            where="--anew",
            fix=f"name some of {', '.join(model.name for model in listed)}",
        )
    return [model if model.name in anew else reuse.Reused(model, options.reuse, by_known) for model in listed]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
