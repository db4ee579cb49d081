"""Made-up encounters whose true risk is known, for the tests of the risk trainer."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from ml.risk.table import Roles

ROLES = Roles("readmitted", "yes", time="seen_at", site="hospital", person="person", subgroups=("sex", "age"))


def encounters(rows: int = 1500, seed: int = 1, hospitals: int = 4, **changes: Any) -> pl.DataFrame:
    """Return encounters as text, as a CSV gives them; `truth` is the probability that made the outcome."""
    rng = np.random.default_rng(seed)
    person = rng.integers(0, rows * 2 // 3, rows)
    age = rng.integers(18, 95, rows)
    ward = rng.choice(["medical", "surgical", "other"], rows, p=[0.5, 0.4, 0.1])
    creatinine = np.round(rng.lognormal(0.0, 0.5, rows), 2)
    earlier = rng.poisson(0.6, rows)
    log_odds = (
        -2.6 + 0.02 * (age - 55) + 1.1 * earlier + np.where(ward == "medical", 0.6, 0.0) + 0.5 * creatinine
    )
    truth = 1 / (1 + np.exp(-log_odds))
    happened = rng.random(rows) < truth
    minute = np.sort(rng.integers(0, 365 * 24 * 60, rows))
    moments = (np.datetime64("2023-01-01T00:00") + minute.astype("timedelta64[m]")).astype(str)
    columns: dict[str, Any] = {
        "record": [f"R{number:06d}" for number in range(rows)],
        "person": [f"P{number}" for number in person],
        "hospital": [f"H{number}" for number in rng.integers(0, hospitals, rows)],
        "seen_at": [moment.replace("T", " ") for moment in moments],
        "age": [str(value) for value in age],
        "sex": rng.choice(["f", "m"], rows).tolist(),
        "ward": ward.tolist(),
        "creatinine": [
            "?" if gone else str(value)
            for gone, value in zip(rng.random(rows) < 0.2, creatinine, strict=True)
        ],
        "earlier_stays": [str(value) for value in earlier],
        "readmitted": ["yes" if one else "no" for one in happened],
    }
    return pl.DataFrame({**columns, **changes})
