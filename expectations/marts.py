"""The suites of the marts gate: what every table must keep, and one suite per mart.

They look at the tables beside the served ones (schemas build_core and build_marts), before publication.
`every_table` is validated against one row per table; the suite of a mart against one row of aggregates.
"""

from __future__ import annotations

from collections.abc import Callable

from great_expectations import ExpectationSuite

from expectations.building import between, has_rows, suite, unique


def every_table() -> ExpectationSuite:
    """Return what is expected of every table of core and marts, compared with the one that is served now."""
    return suite(
        "marts_every_table",
        [
            has_rows("There are tables to publish"),
            unique(("table_name",), "Each table is profiled once"),
            between("emptied", "critical", "No table that has rows now would become empty", high=0),
            between("rows_to_served", "critical", "No table would lose more than half of its rows", low=0.5),
            between("lost_columns", "critical", "No table would lose a column that readers may use", high=0),
            between(
                "rows_to_served",
                "warning",
                "No table would grow tenfold at once",
                high=10,
                name="rows_to_served_at_most_tenfold",
            ),
        ],
    )


# mart → (query over the tables beside the served ones: one row, first column `mart`; its suite)
MARTS: dict[str, tuple[str, Callable[[], ExpectationSuite]]] = {}
