"""Writes canonical.facility_crosswalk from the places of accepted loads; what a person decided stays."""

from __future__ import annotations

from typing import Any

import psycopg

from caregrid.database.connect import connect
from caregrid.warehouse.pairs import Pair, Place, Verdict, find_pairs

# The newest description of each facility, later blanks filled from earlier ones.
_PLACES = """
with described as (
    select
        facility.place_id,
        row_number() over newest as recency,
        first_value(facility.name) over newest as name,
        facility.country_code,
        coalesce(facility.region_code, facility.region_name) as region,
        facility.postal_code,
        facility.address,
        facility.phone
    from canonical.facility as facility
    join raw.load as load using (load_id)
    join landing.file as file using (file_id)
    where load.status = 'accepted' and facility.name is not null
    window newest as (
        partition by facility.place_id
        order by facility.published_at desc, file.version desc, file.sha256, facility.line
    )
)
select place.place_id, place.id_system, place.code, coalesce(described.name, place.name),
    coalesce(described.country_code, place.country_code), described.region, described.postal_code,
    described.address, described.phone
from canonical.place as place
left join described on described.place_id = place.place_id and described.recency = 1
where place.place_level = 'facility'
"""
_SPANS = """
select series.place_id, min(first.period_start), max(latest.period_start)
from canonical.series as series
join canonical.latest as latest using (series_id)
cross join lateral (
    select usage.period_start from canonical.usage as usage
    where usage.series_id = series.series_id order by usage.period_start limit 1
) as first
group by series.place_id
"""
_VERSIONS = """
select facility.place_id, array_agg(distinct load.file_id)
from canonical.facility as facility
join raw.load as load using (load_id)
where load.status = 'accepted'
group by facility.place_id
"""


def match_facilities() -> dict[str, int]:
    """Match the facilities of all registries and write the pairs; return their numbers by status.

    The same accepted loads give the same pairs in whatever order they came. A pair with a reviewer is left as
    that person decided it.
    """
    with connect("loader") as connection:
        verdicts = find_pairs(_places(connection))
        reviewed = {
            (one, other)
            for one, other in connection.execute(
                "select place_id, same_place_id from canonical.facility_crosswalk where reviewer is not null"
            )
        }
        decided = {pair: verdict for pair, verdict in verdicts.items() if pair not in reviewed}
        _write(connection, decided)
    counts = {"matched": 0, "ambiguous": 0, "reviewed": len(reviewed)}
    for verdict in decided.values():
        counts[verdict.status] += 1
    return counts


def _places(connection: psycopg.Connection[Any]) -> list[Place]:
    identifiers: dict[int, set[tuple[str, str]]] = {}
    for place_id, system, value in connection.execute(
        "select place_id, system, value from canonical.facility_identifier"
    ):
        identifiers.setdefault(place_id, set()).add((system, value))
    spans = {place_id: (first, last) for place_id, first, last in connection.execute(_SPANS)}
    versions = {place_id: frozenset(files) for place_id, files in connection.execute(_VERSIONS)}
    columns = (
        "place_id",
        "id_system",
        "code",
        "name",
        "country",
        "region",
        "postal_code",
        "address",
        "phone",
    )
    return [
        Place(
            **dict(zip(columns, row, strict=True)),
            identifiers=frozenset(identifiers.get(row[0], ())),
            span=spans.get(row[0]),
            versions=versions.get(row[0], frozenset()),
        )
        for row in connection.execute(_PLACES)
    ]


def _write(connection: psycopg.Connection[Any], decided: dict[Pair, Verdict]) -> None:
    """Bring the undecided-by-people part of the crosswalk to `decided`; unchanged pairs keep their
    decided_at.
    """
    connection.execute(
        "create temporary table pair (place_id bigint, same_place_id bigint, method text, score double "
        "precision, "
        "status text, primary key (place_id, same_place_id)) on commit drop"
    )
    with connection.cursor() as cursor, cursor.copy("copy pair from stdin") as copy:
        for pair, verdict in sorted(decided.items()):
            copy.write_row((*pair, verdict.method, verdict.score, verdict.status))
    connection.execute(
        "delete from canonical.facility_crosswalk as old where reviewer is null and not exists "
        "(select from pair where pair.place_id = old.place_id and pair.same_place_id = old.same_place_id)"
    )
    connection.execute(
        "insert into canonical.facility_crosswalk as old (place_id, same_place_id, method, score, status) "
        "select place_id, same_place_id, method, score, status from pair "
        "on conflict (place_id, same_place_id) do update set method = excluded.method, score = "
        "excluded.score, "
        "status = excluded.status, decided_at = clock_timestamp() "
        "where (old.method, old.score, old.status) is distinct from (excluded.method, excluded.score, "
        "excluded.status)"
    )
