"""Anybody's model: a Python class with our two entry points, or a command line in any language."""

from __future__ import annotations

import importlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from caregrid.errors import CareGridError

from ..panel import WHOLE_QUANTILES, Fitted, Floats, Forecaster, Panel

# Seconds that one call of a command may take; the command line changes it.
TIME_LIMIT = 3600.0
FILES = ("panel.csv", "panel.parquet", "targets.csv", "quantiles.csv")
ANSWER = "forecasts.csv"


@dataclass
class Named:
    """Somebody's Python model under the name it was given."""

    name: str
    model: Any

    def fit(self, panel: Panel) -> Fitted:
        """Fit it."""
        fitted: Fitted = self.model.fit(panel)
        return fitted


@dataclass
class Command:
    """A model behind a command: `COMMAND fit DIR`, then `COMMAND predict DIR` in the same directory.

    DIR holds panel.csv and panel.parquet (unique_id, ds, y, and the further columns; empty where unknown),
    targets.csv (unique_id, ds, and what is known in advance) and quantiles.csv (quantile). The command keeps
    there what it learned, and writes forecasts.csv (unique_id, ds, quantile, value).
    """

    name: str
    command: tuple[str, ...]
    time_limit: float = TIME_LIMIT

    def fit(self, panel: Panel) -> FittedCommand:
        """Call the command to learn.

        Raises:
            CareGridError: when it fails or takes longer than the time limit; its last words are in it.
        """
        path = Path(tempfile.mkdtemp(prefix="caregrid-model-"))
        fitted = FittedCommand(self, path)
        # The directory lives as long as the fitted model does: the command keeps there what it learned.
        weakref.finalize(fitted, shutil.rmtree, path, ignore_errors=True)
        fitted.call("fit", panel, WHOLE_QUANTILES)
        return fitted


@dataclass(eq=False)
class FittedCommand:
    """A directory in which a command has learned."""

    model: Command
    path: Path
    reasons: dict[str, str] = field(default_factory=dict)

    def predict(self, panel: Panel, quantiles: tuple[float, ...]) -> Floats:
        """Return [series, horizon, quantile]; NaN where forecasts.csv has no row.

        Raises:
            CareGridError: when the command fails, takes too long, or writes no such file.
        """
        import polars as pl

        answer = self.path / ANSWER
        answer.unlink(missing_ok=True)
        self.call("predict", panel, quantiles)
        if not answer.is_file():
            self._refuse(f"wrote no {ANSWER}", "write unique_id, ds, quantile and value of every target")
        try:
            texts = {"unique_id": pl.String, "ds": pl.String}
            found = pl.read_csv(answer, schema_overrides=texts, infer_schema_length=None)
            found = found.select(
                "unique_id",
                pl.col("ds").str.replace(" ", "T").str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=True)
                if len(found) and len(found["ds"][0]) > 10
                else pl.col("ds").str.to_datetime("%Y-%m-%d", strict=True),
                pl.col("quantile").cast(pl.Float64).round(6),
                pl.col("value").cast(pl.Float64),
            )
        except pl.exceptions.PolarsError as error:
            self._refuse(
                f"{ANSWER} cannot be read: {str(error).splitlines()[0]}",
                "write the columns unique_id, ds (as in targets.csv), quantile and value",
            )
        return self._placed(found.rows(), panel, quantiles)

    def _placed(self, rows: list[Any], panel: Panel, quantiles: tuple[float, ...]) -> Floats:
        """Return forecasts.csv by series, horizon and quantile; rows of no target are left out."""
        series = {name: at for at, name in enumerate(panel.ids)}
        targets = panel.times[panel.width :].astype("datetime64[us]").tolist()
        steps = {target: at for at, target in enumerate(targets)}
        levels = {round(level, 6): at for at, level in enumerate(quantiles)}
        out = np.full((len(panel.ids), panel.horizon, len(quantiles)), np.nan)
        for name, ds, level, value in rows:
            if name in series and ds in steps and level in levels and value is not None:
                out[series[name], steps[ds], levels[level]] = value
        return out

    def call(self, action: str, panel: Panel, quantiles: tuple[float, ...]) -> None:
        """Write what the command may know into the directory and run it there."""
        _write(self.path, panel, quantiles)
        line = [*self.model.command, action, str(self.path)]
        try:
            process = subprocess.Popen(
                line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
            )
        except OSError as error:
            self._refuse(f"cannot be started: {error}", "check the command after command:")
        try:
            said, _ = process.communicate(timeout=self.model.time_limit)
        except subprocess.TimeoutExpired:
            # It leads a session of its own, so what it started ends with it.
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            self._refuse(
                f"{action} took longer than {self.model.time_limit:g} s",
                "raise --model-time-limit, or shorten it",
            )
        if process.returncode:
            last = " | ".join(said.strip().splitlines()[-3:])
            self._refuse(
                f"{action} ended with {process.returncode}: {last}", f"run it by hand: {shlex.join(line)}"
            )

    def _refuse(self, message: str, fix: str) -> NoReturn:
        raise CareGridError(message, where=f"model {self.model.name}", fix=fix)


def _write(path: Path, panel: Panel, quantiles: tuple[float, ...]) -> None:
    """Write the panel's files; a time is a date where all of its kind are."""
    import polars as pl

    width, count = panel.width, len(panel.ids)
    ids = np.array(panel.ids, dtype=object)
    dates = panel.frequency != "H" and bool((panel.times == panel.times.astype("datetime64[D]")).all())

    def frame(first: int, last: int, columns: dict[str, Floats]) -> pl.DataFrame:
        times = pl.Series(np.tile(panel.times[first:last].astype("datetime64[us]"), count))
        made = {
            "unique_id": pl.Series(np.repeat(ids, last - first), dtype=pl.String),
            "ds": times.cast(pl.Date) if dates else times,
        }
        made |= {name: pl.Series(values.ravel()).fill_nan(None) for name, values in columns.items()}
        for name, values in panel.static.items():
            made[name] = pl.Series(np.repeat(values, last - first))
        return pl.DataFrame(made)

    capacity = {} if panel.capacity is None else {"capacity": panel.capacity}
    known = {name: values[:, :width] for name, values in panel.ahead.items()}
    whole = frame(0, width, {"y": panel.y, **capacity, **panel.past, **known})
    whole.write_parquet(path / "panel.parquet")
    whole.write_csv(path / "panel.csv", datetime_format="%Y-%m-%dT%H:%M:%S")
    targets = frame(
        width, width + panel.horizon, {name: values[:, width:] for name, values in panel.ahead.items()}
    )
    targets.write_csv(path / "targets.csv", datetime_format="%Y-%m-%dT%H:%M:%S")
    pl.DataFrame({"quantile": quantiles}).write_csv(path / "quantiles.csv")


def plugin(text: str) -> Forecaster:
    """Return the model of `NAME=package.module:Class` or `NAME=command:COMMAND LINE`.

    Raises:
        CareGridError: when it is neither, or the class cannot be had.
    """
    name, _, rest = text.partition("=")
    name, rest = name.strip(), rest.strip()
    where = f"--models {text}"
    if rest.startswith("command:") and name:
        try:
            command = tuple(shlex.split(rest.removeprefix("command:")))
        except ValueError as error:
            raise CareGridError(
                f"is no command line: {error}", where=where, fix="close its quotes as a shell wants them"
            ) from None
        if command:
            return Command(name, command)
    module, _, attribute = rest.partition(":")
    if not (name and module and attribute) or rest.startswith("command:"):
        raise CareGridError(
            "is no model", where=where, fix="write NAME=package.module:Class, or 'NAME=command:COMMAND LINE'"
        )
    try:
        made = getattr(importlib.import_module(module), attribute)()
    except CareGridError as error:  # one of ours that was given what it cannot use: it knows what to do
        said = f"{error.where}: {error.message}" if error.where else error.message
        raise CareGridError(f"cannot be made: {said}", where=where, fix=error.fix) from error
    except Exception as error:  # what a stranger's module raises is his reason
        raise CareGridError(
            f"cannot be made: {type(error).__name__}: {error}",
            where=where,
            fix="the module must be importable from here (PYTHONPATH), and its class need no arguments",
        ) from error
    if not callable(getattr(made, "fit", None)):
        raise CareGridError("has no method fit(panel)", where=where, fix="see docs/forecasting.md")
    return Named(name, made)
