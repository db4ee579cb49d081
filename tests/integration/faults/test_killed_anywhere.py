"""kill -9 at seeded moments of a load and of a build: the retry ends, row for row, as if nothing had been.

FAULT_MOMENTS says how many seeds (`make test-faults`: 50); FAULT_SEED names one, to see it again.
"""

from __future__ import annotations

import os
import time
from typing import Any

import psycopg
import pytest
from caregrid import paths

from tests.integration.faults import contents, work
from tests.integration.faults.conftest import World, moment_of, read

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

# The first three: a load, a first build, an increment.
FIRST = (0, 1, 3, 2)
ONE = os.environ.get("FAULT_SEED")
SEEDS = [int(ONE)] if ONE else [*FIRST, *range(4, 10_000)][: int(os.environ.get("FAULT_MOMENTS", "3"))]
OTHERS = "select count(*) from pg_stat_activity where datname = %s and backend_type = 'client backend'"


def wait_alone(world: World, database: str) -> None:
    """Wait until what outlived the kill has ended, too: it must not undo what the retry did."""
    deadline = time.monotonic() + 120
    with psycopg.connect(world.template["admin"], autocommit=True) as admin:
        while (found := admin.execute(OTHERS, [database]).fetchone()) and found[0]:
            assert time.monotonic() < deadline, "what outlived the kill does not end"
            time.sleep(0.1)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_kill_anywhere_is_made_good_by_the_retry(world: World, table: Any, seed: int) -> None:
    part, moment = moment_of(seed, world)
    with world.copy(part) as stage:
        code, report = world.run(part, moment)
        assert code == -9, f"seed {seed} never came to {moment}"
        row = {"seed": seed, "part": part, **report, "left": "something half", "ended": "no retry"}
        del row["counts"], row["nodes"]
        table.append(row)
        row["left"] = world.left(part)
        work.PARTS[part]()
        wait_alone(world, stage.database)
        after = contents.differences(read(), world.ends[part])
        row["ended"] = f"{len(after)} tables differ" if after else "equal"
        assert after == [], f"seed {seed}, killed at {report['place']}"
        if part == "load":
            assert contents.landed(paths.var()) == world.landed
