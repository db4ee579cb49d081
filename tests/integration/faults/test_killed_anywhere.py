"""kill -9 at seeded moments of a load and of a build: the retry ends, row for row, as if nothing had been.

FAULT_MOMENTS says how many seeds (`make test-faults`: 50); FAULT_SEED names one or two, to see them again.
"""

from __future__ import annotations

import os
import time
from typing import Any

import psycopg
import pytest
from caregrid import paths

from tests.integration.faults import contents, work
from tests.integration.faults.conftest import World, moment_of, part_of, read

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

# The first three: a load, a first build, an increment.
FIRST = (0, 1, 3, 2)
ONLY = [int(seed) for seed in os.environ.get("FAULT_SEED", "").split(",") if seed]
SEEDS = ONLY or [*FIRST, *range(4, 10_000)][: int(os.environ.get("FAULT_MOMENTS", "3"))]


def chains() -> list[tuple[int, ...]]:
    """Return the seeds two by two, of one part each: Airflow retries twice, so a retry may be killed, too."""
    found: dict[str, list[int]] = {}
    for seed in SEEDS:
        found.setdefault(part_of(seed), []).append(seed)
    return sorted(tuple(seeds[at : at + 2]) for seeds in found.values() for at in range(0, len(seeds), 2))


OTHERS = "select count(*) from pg_stat_activity where datname = %s and backend_type = 'client backend'"


def wait_alone(world: World, database: str) -> None:
    """Wait until what outlived the kill has ended, too: it must not undo what the retry did."""
    deadline = time.monotonic() + 120
    with psycopg.connect(world.template["admin"], autocommit=True) as admin:
        while (found := admin.execute(OTHERS, [database]).fetchone()) and found[0]:
            assert time.monotonic() < deadline, "what outlived the kill does not end"
            time.sleep(0.1)


def kill(world: World, table: Any, part: str, seed: int) -> dict[str, Any] | None:
    """Kill a part at the moment of a seed, and look at what is left; None when it ended before that."""
    moment = moment_of(seed, world)
    code, report = world.run(part, moment)
    if code == 0:
        return None
    assert code == -9, f"seed {seed}: {part} ended with {code} before {moment}"
    row = {"seed": seed, "part": part, **report, "left": "something half", "ended": "no retry"}
    del row["counts"], row["nodes"]
    table.append(row)
    row["left"] = world.left(part)
    return row


@pytest.mark.parametrize("seeds", chains(), ids=lambda seeds: "-".join(map(str, seeds)))
def test_a_kill_anywhere_is_made_good_by_the_retry(world: World, table: Any, seeds: tuple[int, ...]) -> None:
    part = part_of(seeds[0])
    with world.copy(part) as stage:
        row = kill(world, table, part, seeds[0])
        assert row, f"{part} never came to {moment_of(seeds[0], world)}"
        # The retry may end before it comes to the second moment: what was done is not done again.
        second = kill(world, table, part, seeds[1]) if len(seeds) > 1 else None
        if len(seeds) == 1 or second:
            work.PARTS[part]()
        wait_alone(world, stage.database)
        after = contents.differences(read(), world.ends[part])
        ended = f"{len(after)} tables differ" if after else "equal"
        row["ended"] = f"{ended}, its retry killed as {seeds[1]}" if second else ended
        if second:
            second["ended"] = ended
        assert after == [], f"seeds {seeds}, killed at {row['place']}{second and ' and ' + second['place']}"
        if part == "load":
            assert contents.landed(paths.var()) == world.landed
    if len(seeds) > 1 and not second:
        test_a_kill_anywhere_is_made_good_by_the_retry(world, table, seeds[1:])
