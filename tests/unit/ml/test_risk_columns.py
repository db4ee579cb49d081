"""What a table may teach: identifiers, moments and the outcome in disguise are kept out, with the reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from caregrid.errors import CareGridError

from ml.risk import columns as risk_columns
from ml.risk import fit as risk_fit
from ml.risk import splits as risk_splits
from ml.risk import table as risk_table
from ml.risk.columns import CATEGORY, NUMBER, Column
from ml.risk.table import AMOUNT, EVENT, Roles, prepare
from tests.unit.ml.encounters import ROLES, encounters

pytestmark = pytest.mark.unit


def _fit(frame: pl.DataFrame, roles: Roles = ROLES) -> risk_fit.Fitted:
    table = prepare(frame, roles)
    block = risk_splits.split(table, 1).block
    return risk_fit.fit(table, block == 0, block == 1, block == 2, (), 1)


def test_columns_are_told_apart_and_what_cannot_teach_says_why() -> None:
    frame = encounters(400).with_columns(
        never=pl.lit("?"), always=pl.lit("same"), born=pl.col("seen_at").str.slice(0, 10),
        number=pl.int_range(10_000, 10_400).cast(pl.String), postcode=pl.Series(["01", "02"] * 200),
        unit_id=pl.Series(["1", "2", "3", "4"] * 100),
        free=pl.Series([f"text {at * 2 // 3}" for at in range(400)]),
    )  # fmt: skip
    table = prepare(frame, ROLES)
    columns, told = risk_columns.learn(table.frame, table.candidates)
    kinds = {column.name: column.kind for column in columns}
    assert kinds == {
        "age": NUMBER, "sex": CATEGORY, "ward": CATEGORY, "creatinine": NUMBER, "earlier_stays": NUMBER,
        "postcode": CATEGORY, "unit_id": CATEGORY,
    }  # fmt: skip
    said = "\n".join(told)
    for words in (
        "record left out, like an identifier", "number left out, like an identifier",
        "never left out: no training row has a value",
        "always left out: every training row has the value same",
        "born left out: a moment", "unit_id is taken as a code", "free left out: 267 different texts in 400",
    ):  # fmt: skip
        assert words in said


def test_a_number_with_decimals_is_no_identifier_though_every_value_differs() -> None:
    frame = pl.DataFrame({"x": [f"{value:.6f}" for value in np.random.default_rng(1).random(300)]})
    columns, told = risk_columns.learn(frame, ["x"])
    assert (columns, told) == ([Column("x", NUMBER)], [])


def test_levels_are_learned_once_and_rare_or_unseen_ones_share_a_code() -> None:
    column = Column("ward", CATEGORY, ("medical", "surgical"))
    values = pl.Series(["surgical", "medical", None, "burns"])
    assert column.code(values).tolist()[:2] == [1.0, 0.0]
    assert np.isnan(column.code(values)[2])
    assert column.code(values)[3] == 2.0
    assert column.text(values) == ["surgical", "medical", "missing", "burns (rare or unseen)"]
    number = Column("age", NUMBER)
    assert np.array_equal(
        number.code(pl.Series(["41", "old", None, "inf"])), [41, np.nan, np.nan, np.nan], equal_nan=True
    )


@pytest.mark.parametrize(
    "disguise",
    [
        pl.when(pl.col("readmitted") == "yes").then(pl.lit("home again")).otherwise(pl.lit("gone")),
        # A date that is only there where the event came.
        pl.when(pl.col("readmitted") == "yes").then(pl.col("age")),
        pl.when(pl.col("readmitted") == "yes").then(pl.lit("3.5")).otherwise(pl.lit("1.25")),
    ],
)
def test_a_column_that_is_the_outcome_in_disguise_is_refused_by_name(disguise: pl.Expr) -> None:
    with pytest.raises(CareGridError, match=r"letter \(AUROC 1\.000\).*disguise") as raised:
        _fit(encounters(600).with_columns(letter=disguise))
    assert "--leave-out letter" in str(raised.value)


def test_what_was_not_known_in_time_is_left_out_and_told() -> None:
    frame = encounters(600).with_columns(letter=pl.col("readmitted"))
    roles = replace(ROLES, known=("age", "sex", "ward", "earlier_stays"))
    table = prepare(frame, roles)
    assert table.candidates == ["age", "sex", "ward", "earlier_stays"]
    assert any("not named as known" in line and "letter" in line for line in table.told)
    assert [column.name for column in _fit(frame, roles).model.columns] == table.candidates


def test_a_category_of_many_rare_levels_is_no_leak() -> None:
    """Each level occurs twice: its own rows' outcome would tell it perfectly, other persons' cannot."""
    rng = np.random.default_rng(1)
    code = np.repeat(np.arange(200), 2).astype(float)
    event = (rng.random(400) < 0.3).astype(float)
    column = Column("diagnosis", CATEGORY, tuple(f"D{at}" for at in range(200)))
    assert risk_columns.leaks(code[:, None], event, [column], np.arange(400)) == {}


@pytest.mark.parametrize(
    ("change", "roles", "words"),
    [
        ({"readmitted": pl.lit("no")}, ROLES, "every outcome is no"),
        ({}, replace(ROLES, positive="maybe"), "no outcome is maybe"),
        ({}, replace(ROLES, site="clinic"), "no column clinic"),
        ({}, replace(ROLES, order="age"), "both order the rows"),
        ({"seen_at": pl.lit("yesterday")}, ROLES, "600 of 600 values are no time, such as yesterday"),
        ({"readmitted": pl.col("ward")}, replace(ROLES, positive=None), "which of medical, other, surgical"),
        ({}, replace(ROLES, excluded={"sex": ("f", "m")}), "0 rows with an outcome"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_in_words(
    change: dict[str, pl.Expr], roles: Roles, words: str
) -> None:
    with pytest.raises(CareGridError, match=words):
        prepare(encounters(600).with_columns(**change), roles)


def test_three_rows_are_refused() -> None:
    with pytest.raises(CareGridError, match="3 rows with an outcome, 50 are needed"):
        prepare(encounters(600).head(3), ROLES)


def test_two_values_that_say_yes_and_no_need_no_naming() -> None:
    assert prepare(encounters(100), replace(ROLES, positive=None)).kind == EVENT
    days = encounters(100).with_columns(readmitted=pl.col("age"))
    table = prepare(days, replace(ROLES, positive=None))
    assert (table.kind, table.outcome[0]) == (AMOUNT, float(days["age"][0]))


@pytest.mark.parametrize("positive", [None, "1", "1.0"])
def test_yes_and_no_may_be_numbers_of_any_kind(positive: str | None) -> None:
    frame = encounters(200)
    expected = (frame["readmitted"] == "yes").to_numpy().astype(float)
    for kind in (pl.Int64, pl.Float64, pl.Boolean):
        if kind == pl.Boolean and positive:
            continue
        table = prepare(
            frame.with_columns(readmitted=(pl.col("readmitted") == "yes").cast(kind)),
            replace(ROLES, positive=positive),
        )
        assert table.kind == EVENT
        assert np.array_equal(table.outcome, expected)


def test_rows_outside_the_population_and_without_an_outcome_are_left_out_and_counted() -> None:
    frame = encounters(400).with_columns(
        readmitted=pl.when(pl.int_range(400) < 10).then(pl.lit("?")).otherwise(pl.col("readmitted"))
    )
    table = prepare(frame, replace(ROLES, excluded={"ward": ("other",)}))
    outside = int((frame["ward"] == "other").sum())
    assert f"{outside} rows left out: ward is other" in table.told
    assert len(table.frame) == len(frame.filter((pl.col("ward") != "other") & (pl.int_range(400) >= 10)))


def test_a_person_who_is_not_named_is_nobody_else() -> None:
    frame = encounters(100).with_columns(
        person=pl.when(pl.int_range(100) < 40).then(pl.lit("?")).otherwise(pl.lit("P1"))
    )
    assert len(np.unique(prepare(frame, ROLES).person)) == 41


@pytest.mark.parametrize("written", ["2024-05-31 14:00", "2024-05-31T14:00:00", "2024-05-31T16:00:00+02:00"])
def test_moments_are_read_however_they_are_written(written: str) -> None:
    table = prepare(encounters(100).with_columns(seen_at=pl.lit(written)), ROLES)
    assert table.moment is not None
    moment = np.datetime64("2024-05-31T14:00") - np.datetime64("1970-01-01T00:00")
    assert table.moment[0] == pytest.approx(moment.astype(int) / 1440)
    assert table.dated


def test_parquet_and_packed_csv_hold_the_same_table(tmp_path: Path) -> None:
    import gzip

    frame = encounters(120)
    frame.with_columns(pl.col("age").cast(pl.Int64)).write_parquet(tmp_path / "t.parquet")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(frame.write_csv().encode()))
    one, other = (
        prepare(risk_table.read(tmp_path / name), ROLES).frame for name in ("t.parquet", "t.csv.gz")
    )
    columns, _ = risk_columns.learn(other, ["age", "ward", "creatinine"])
    assert np.array_equal(
        risk_columns.matrix(one, columns), risk_columns.matrix(other, columns), equal_nan=True
    )
    with pytest.raises(CareGridError, match="no such file"):
        risk_table.read(tmp_path / "none.csv")
    (tmp_path / "bad.parquet").write_bytes(b"not parquet")
    with pytest.raises(CareGridError, match="cannot be read as a table"):
        risk_table.read(tmp_path / "bad.parquet")
