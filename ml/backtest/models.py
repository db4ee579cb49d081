"""Models by name: those always scored beside, ours, and anybody's."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence

from caregrid.errors import CareGridError

from ..panel import Forecaster
from .classical import auto_ets, auto_theta
from .naive import Climatology, LastValue, SeasonalNaive
from .peer import MLForecastPeer
from .recalibrated import Recalibrated

OURS = "caregrid"
# What each name needs beside numpy: a library that is absent is told and its models left out.
NEEDS = {
    OURS: "ml.recipe",
    "auto_ets": "statsforecast",
    "auto_theta": "statsforecast",
    "auto_ets_recalibrated": "statsforecast",
    "auto_theta_recalibrated": "statsforecast",
    "mlforecast": "mlforecast",
}
ALWAYS = (
    "last_value",
    "seasonal_naive",
    "climatology",
    "auto_ets",
    "auto_theta",
    "auto_ets_recalibrated",
    "auto_theta_recalibrated",
    "mlforecast",
)
EVERY = (OURS, *ALWAYS)


def _ours() -> Forecaster:
    made: Forecaster = importlib.import_module("ml.recipe").CareGridModel()
    return made


def named(names: Sequence[str]) -> tuple[list[Forecaster], dict[str, str]]:
    """Return the models of these names, and {name: why it is left out}.

    A name is one of the table in docs/forecasting.md, `all` for all of that table,
    `NAME=package.module:Class`, or `NAME=command:COMMAND LINE` (see plugins).

    Raises:
        CareGridError: for a name that is none.
    """
    from . import plugins

    ets, theta = auto_ets(), auto_theta()
    known: dict[str, Callable[[], Forecaster]] = {
        OURS: _ours,
        "last_value": LastValue,
        "seasonal_naive": SeasonalNaive,
        "climatology": Climatology,
        "auto_ets": lambda: ets,
        "auto_theta": lambda: theta,
        # They share their base, so that its fits serve both.
        "auto_ets_recalibrated": lambda: Recalibrated(ets),
        "auto_theta_recalibrated": lambda: Recalibrated(theta),
        "mlforecast": MLForecastPeer,
    }
    found: list[Forecaster] = []
    absent: dict[str, str] = {}
    whole = [one for name in names for one in (EVERY if name == "all" else (name,))]
    for name in dict.fromkeys(whole):
        library = NEEDS.get(name)
        if "=" in name:
            found.append(plugins.plugin(name))
        elif name not in known:
            raise CareGridError(
                f"there is no model {name!r}",
                where="--models",
                fix=f"name some of all, {', '.join(known)}, NAME=package.module:Class or 'NAME=command:…'",
            )
        elif library and importlib.util.find_spec(library) is None:
            absent[name] = f"{library} is not installed here"
        else:
            found.append(known[name]())
    twice = {model.name for model in found if [one.name for one in found].count(model.name) > 1}
    if twice:
        raise CareGridError(
            f"two models are called {', '.join(sorted(twice))}",
            where="--models",
            fix="give each its own name",
        )
    return found, absent
