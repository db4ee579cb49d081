"""`caregrid forecast`: train, score, back-test, reproduce and export from the terminal."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from caregrid import clock
from caregrid.errors import CareGridError
from caregrid.quiet import apply_quiet


def register(subparsers: Any) -> None:
    """Add the group."""
    group = subparsers.add_parser("forecast", help="train, score, back-test, reproduce and export")
    actions = group.add_subparsers(dest="action", required=True, metavar="ACTION")

    train = actions.add_parser("train", help="back-test, fit, judge and register a model, if one is due")
    train.add_argument(
        "--settings",
        choices=("demo", "whole"),
        default="whole",
        help="whole, the default, reads every series; demo a stated sample of them",
    )
    train.add_argument(
        "--force", action="store_true", help="train although no age, drift or growth asks for it"
    )
    train.set_defaults(run=_train)

    score = actions.add_parser("score", help="forecast every usable series with the champion")
    score.set_defaults(run=_score)

    backtest = actions.add_parser(
        "backtest", help="score the models over rolling origins and register nothing"
    )
    backtest.add_argument("--settings", choices=("demo", "whole"), default="whole", help="default: whole")
    backtest.set_defaults(run=_backtest)

    reproduce = actions.add_parser("reproduce", help="repeat a run and compare every number")
    reproduce.add_argument("run_id", metavar="RUN", help="run_id of model_output.run")
    reproduce.set_defaults(run=_reproduce)

    table = actions.add_parser("table", help="write a feed's series as a table for `python -m ml.backtest`")
    table.add_argument("--feed", required=True)
    table.add_argument("--grain", required=True, choices=("hour", "day", "week"))
    table.add_argument("--out", type=Path, required=True, metavar="FILE", help="FILE.parquet or FILE.csv")
    table.set_defaults(run=_table)

    _register_export(actions)

    for action in (train, score, backtest, table):
        action.add_argument(
            "--as-of",
            type=_moment,
            default=None,
            metavar="TIME",
            help="ISO 8601 with an offset; default: now",
        )


def _register_export(actions: Any) -> None:
    """Add `export`: from the warehouse by feed and run, or from a back-test's file by model."""
    export = actions.add_parser("export", help="write forecasts as a forecast hub takes them")
    export.add_argument(
        "--hub",
        action="store_true",
        required=True,
        help="in the submission form of the CDC's hubs (hubverse)",
    )
    export.add_argument("--target", required=True, help='the hub\'s name of it, such as "wk inc flu hosp"')
    export.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="writes DIR/NAME/DATE-NAME.csv"
    )
    export.add_argument("--name", default="CareGrid-caregrid", help="TEAM-MODEL; default: %(default)s")
    export.add_argument(
        "--reference-date",
        type=_date,
        metavar="DATE",
        help="last day of the hub's horizon 0; default: the first",
    )
    source = export.add_mutually_exclusive_group(required=True)
    source.add_argument("--feed", help="of the warehouse; locations are the codes of its places")
    source.add_argument("--forecasts", type=Path, metavar="FILE", help="forecasts.parquet of a back-test")
    export.add_argument("--run", dest="run_id", metavar="RUN", help="with --feed; default: the newest")
    export.add_argument("--measure", help="with --feed, where it has several")
    export.add_argument("--model", help="with --forecasts; default: caregrid")
    export.set_defaults(run=_export)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date; write it as 2025-01-31") from None


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no ISO 8601 time: {error}") from None
    if found.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no offset; write it as 2025-01-31T12:00:00+00:00")
    return found.astimezone(UTC)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _readable() -> Iterator[None]:
    """Say in words that the warehouse has not been built yet."""
    import psycopg

    try:
        yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise CareGridError(
            f"the warehouse lacks what the models read: {str(error).splitlines()[0]}",
            where="schema core",
            fix="load feeds and build the warehouse first (`make demo`)",
        ) from None


def _train(options: argparse.Namespace) -> int:
    apply_quiet()
    from ml import training

    as_of = options.as_of or clock.now()
    with _readable():
        result = training.train(
            options.settings, as_of, force=options.force, other_recipe_is_due=True, progress=_say
        )
    if result.run_id is not None:
        print(f"run {result.run_id}: {result.series} series read, {result.left_out} left out")
        _print_scores(result.scores)
    # A refused challenger is an answer, not a failure.
    print(result.message)
    return 0


def _score(options: argparse.Namespace) -> int:
    apply_quiet()
    from ml import scoring

    try:
        with _readable():
            result = scoring.score(options.as_of or clock.now(), progress=_say)
    except LookupError as error:
        raise CareGridError(str(error), fix="train one with `caregrid forecast train`") from None
    how = "appended" if result.appended else "there already, nothing appended"
    print(
        f"run {result.run_id} with model version {result.version}: {result.series} series forecast, "
        f"{result.risks} risks, {result.left_out} series left out; {how}"
    )
    return 0


def _backtest(options: argparse.Namespace) -> int:
    apply_quiet()
    from ml import training

    as_of = options.as_of or clock.now()
    with _readable():
        made, scores = training.backtest_only(options.settings, as_of, progress=_say)
    print(f"run {made}")
    _print_scores(scores)
    return 0


def _table(options: argparse.Namespace) -> int:
    apply_quiet()
    from ml import folders
    from ml.warehouse import inputs, long_table
    from ml.warehouse.settings import WHOLE

    if options.out.suffix not in (".parquet", ".csv"):
        raise CareGridError(
            f"{options.out.name} is neither Parquet nor CSV",
            where="--out",
            fix="name a file that ends in .parquet or .csv",
        )
    folders.made(options.out.parent)
    with _readable():
        read = inputs.read(inputs.warehouse(WHOLE), WHOLE, options.as_of or clock.now())
    made = long_table.of_feed(read.spines, options.feed, options.grain, WHOLE)
    with folders.writing(options.out.parent):
        if options.out.suffix == ".csv":
            made.rows.write_csv(options.out)
        else:
            made.rows.write_parquet(options.out)
    print(f"wrote {options.out}: {made.series} series, {made.rows['y'].count()} values in all their versions")
    if made.assumed:
        print(
            "known_at of a history that was published at once is assumed, as in the warehouse's own back-test"
        )
    print(f"back-test it: {long_table.command(made, str(options.out), options.grain, WHOLE)}")
    return 0


def _reproduce(options: argparse.Namespace) -> int:
    apply_quiet()
    from ml.reproduce import reproduce

    try:
        result = reproduce(options.run_id, progress=_say)
    except LookupError as error:
        raise CareGridError(str(error), fix="list them: select run_id from core.dim_forecast_run") from None
    for note in result.notes:
        print(f"note: {note}")
    if result.identical:
        print(f"identical: all {result.compared} numbers of {result.run_id} came out the same")
        return 0
    print(f"not identical: {len(result.differences)} differences, {result.compared} numbers compared")
    for difference in result.differences[:20]:
        print(f"  {difference}")
    return 1


def _export(options: argparse.Namespace) -> int:
    apply_quiet()
    from ml.evaluation import hub, submission

    only = [options.reference_date.isoformat()] if options.reference_date else None
    for name, given, wanted in (
        ("--run", options.run_id, "feed"),
        ("--measure", options.measure, "feed"),
        ("--model", options.model, "forecasts"),
    ):
        if given is not None and getattr(options, wanted) is None:
            raise CareGridError(f"{name} goes with --{wanted}", where=name, fix="leave it out")
    if options.feed is not None:
        from caregrid.database.connect import connect

        with _readable(), connect("model") as connection:
            made = submission.from_run(
                connection, options.feed, options.run_id, options.measure, options.reference_date
            )
        rows, model = made.rows.lazy(), submission.MODEL
        print(f"run {made.run_id}, reference date {made.reference_date}")
        for why, count in sorted(made.left_out.items()):
            print(f"left out: {why}: {count}")
    else:
        rows, model = hub.stored(options.forecasts), options.model or submission.MODEL
    paths, left_out = hub.export(
        rows, model, options.target, options.out, name=options.name, reference_dates=only
    )
    for why, count in sorted(left_out.items()):
        print(f"left out: {why}: {count}")
    for path in paths:
        print(f"wrote {path}")
    return 0


def _print_scores(scores: list[Any]) -> None:
    """Print one line per grain and model with the figures people ask for first."""
    shown = ("relative_loss", "scaled_interval_score", "mase", "coverage_50", "coverage_80", "coverage_95",
             "brier_skill_vs_persistence")  # fmt: skip
    table: dict[tuple[str, str], dict[str, Any]] = {}
    for score in scores:
        row = table.setdefault((score.grain, score.model), {})
        row[score.metric] = score.value
        if score.metric == "mase":
            row["cells"], row["origins"] = score.cells, score.origins
    print(
        f"{'grain':28} {'model':16} {'cells':>7} {'origins':>7} "
        + " ".join(f"{name[-14:]:>14}" for name in shown)
    )
    for (grain, model), row in sorted(table.items()):
        if "mase" not in row:
            continue
        figures = " ".join(
            f"{row[name]:14.3f}" if row.get(name) is not None else f"{'-':>14}" for name in shown
        )
        print(f"{grain:28} {model:16} {row['cells']:7d} {row['origins']:7d} {figures}")
