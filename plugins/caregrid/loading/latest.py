"""Keeps canonical.latest and the names of places true to what is accepted, whatever the order of verdicts."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import psycopg

from caregrid.paths import ROOT

# Computed anew from all accepted rows of every series a verdict touches: nothing to regress, nothing to undo.
# The primary key of canonical.usage, read backwards, gives the newest moment of a series at once, however
# long its history. The accepted loads are an array: joined, their statistics (which the verdict has just made
# wrong) may have the planner read all of a series once for each load.
# How events add up, the warehouse says: a template, as dbt's own are.
_REFRESH = """
{%- from 'event_total.sql' import event_total %}
with touched as materialized (
    select distinct series_id from canonical.usage where load_id = any(%(accepted)s)
    union
    select series_id from canonical.latest where load_id = any(%(superseded)s)
    union
    -- events count in the value of whichever load was known last
    select series_id from canonical.usage_event where load_id = any(%(superseded)s)
), newest as materialized (
    select distinct on (u.series_id)
        u.series_id, u.period_start, u.period_end, u.known_at, u.load_id, u.line,
        case when l.counts_events then {{ event_total('u', 'canonical.usage_event', 'raw.load') }}
            else u.value end as value,
        u.value_status, u.observed_at, u.reporting_units, u.is_provisional, u.known_at_is_assumed
    from touched as t
    cross join lateral (
        select m.period_start, m.known_at from canonical.usage as m
        where m.series_id = t.series_id
          and m.load_id = any(array(select load_id from raw.load where status = 'accepted'))
        order by m.period_start desc, m.known_at desc
        limit 1
    ) as moment
    join canonical.usage as u
        on u.series_id = t.series_id and u.period_start = moment.period_start and u.known_at = moment.known_at
    join ledger.load_order as o on o.load_id = u.load_id
    join raw.load as l on l.load_id = u.load_id
    where u.load_id = any(array(select load_id from raw.load where status = 'accepted'))
    order by u.series_id, o.published_at desc, o.version desc, o.sha256 desc, o.source desc, o.member desc,
             o.uri desc, u.load_id desc
), gone as (
    delete from canonical.latest as old using touched as t
    where old.series_id = t.series_id and not exists (select from newest as n where n.series_id = t.series_id)
)
insert into canonical.latest (
    series_id, period_start, period_end, known_at, load_id, line, value, value_status, observed_at,
    reporting_units, is_provisional, known_at_is_assumed
)
select series_id, period_start, period_end, known_at, load_id, line, value, value_status, observed_at,
       reporting_units, is_provisional, known_at_is_assumed
from newest
on conflict (series_id) do update set
    period_start = excluded.period_start, period_end = excluded.period_end, known_at = excluded.known_at,
    load_id = excluded.load_id, line = excluded.line, value = excluded.value, value_status =
    excluded.value_status,
    observed_at = excluded.observed_at, reporting_units = excluded.reporting_units,
    is_provisional = excluded.is_provisional, known_at_is_assumed = excluded.known_at_is_assumed
"""

_DESCRIBE = """
with touched as (
    select distinct place_id from canonical.facility where load_id = any(%(accepted)s ||
    %(superseded)s::bigint[])
), newest as (
    select distinct on (f.place_id) f.place_id, f.name, f.country_code
    from canonical.facility as f
    join touched using (place_id)
    join ledger.load_order as o on o.load_id = f.load_id and o.status = 'accepted'
    order by f.place_id, f.published_at desc, f.known_at desc, o.version desc, o.sha256 desc, f.load_id desc,
             f.line desc
)
update canonical.place as p
set is_inferred = false, name = coalesce(n.name, p.name), country_code = coalesce(n.country_code,
p.country_code)
from newest as n
where p.place_id = n.place_id
  and (p.is_inferred or p.name is distinct from coalesce(n.name, p.name)
       or p.country_code is distinct from coalesce(n.country_code, p.country_code))
"""


def refresh(connection: psycopg.Connection[Any], accepted: list[int], superseded: list[int]) -> None:
    """Bring canonical.latest and canonical.place up to date with loads just accepted and superseded.

    The newest value of a series is that of its newest period, then the one known last, then
    the one published last; no order of arrival or of verdicts changes it. Events are added up over loads.
    """
    given = {"accepted": accepted, "superseded": superseded}
    connection.execute(_refresh(), given)
    connection.execute(_DESCRIBE, given)


@lru_cache(maxsize=1)
def _refresh() -> bytes:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    macros = Environment(loader=FileSystemLoader(ROOT / "dbt" / "macros"), undefined=StrictUndefined)  # noqa: S701
    return macros.from_string(_REFRESH).render().encode()
