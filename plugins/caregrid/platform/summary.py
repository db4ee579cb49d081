"""What a person wants to know after a demo: records, models, forecasts, risks, alerts, addresses."""

from __future__ import annotations

from typing import Any

from caregrid import paths
from caregrid.database.connect import connect
from caregrid.platform import accounts, services
from caregrid.platform.airflow_client import AirflowClient

_OURS, _NAIVE = "caregrid", "seasonal_naive"

_RECORDS = """
select count(*), sum(received_records), sum(loaded_records), sum(partly_rejected_records),
       sum(rejected_records),
       sum(duplicate_records), sum(unchanged_records), sum(filtered_records), sum(held_records),
       sum(loaded_rows), sum(rejected_rows)
from core.fct_load where feed = any(%s) and status <> 'superseded'
"""
_BUILD = """
select models_built, tests_passed, tests_warned, tests_failed, finished_at - started_at
from ledger.build where kind = 'warehouse' and status = 'published' and models_built is not null
order by build_id desc limit 1
"""
_SCORES = """
with newest as (
    select run_id, parameters -> 'serves' as serves from model_output.run where kind = 'train'
    order by made_at desc, run_id limit 1
)
select grain, max(value) filter (where model = %s), max(value) filter (where model = %s), max(cells),
       bool_and(coalesce(newest.serves ? grain, true))
from model_output.backtest join newest using (run_id)
where metric = 'scaled_interval_score' and position(':' in grain) = 0
group by grain order by grain
"""
_RISKS = """
select place.name_zh, place.name_en, service.name_en, service.name_zh, risk.probability,
       risk.occupied_limit, risk.capacity, timezone(series.timezone, risk.period_end),
       timezone(series.timezone, risk.known_at), series.timezone
from core.fct_risk as risk
join core.dim_place as place using (place_id)
join core.dim_series as series using (series_id)
left join core.dim_service_or_resource as service using (service_or_resource)
join marts.operations_now_and_next as board
    on board.place_id = risk.place_id and board.feed = series.feed and board.is_new_risk
    and board.service_or_resource = series.service_or_resource and risk.period_end > board.as_of
where risk.is_newest and risk.horizon = (
    select max(horizon) from core.fct_risk as other
    where other.run_id = risk.run_id and other.series_id = risk.series_id
)
order by risk.probability desc, risk.series_id limit 5
"""
_ALERTS = """
select event.severity, event.state, event.rule, count(distinct event.alert_event_id),
       string_agg(distinct delivery.channel, ', ') filter (where delivery.outcome = 'sent'),
       count(distinct delivery.alert_event_id) filter (where delivery.outcome = 'sent')
from action.alert_event as event left join action.delivery as delivery using (alert_event_id)
group by 1, 2, 3 order by 1, 3, 2
"""


def text(feeds: list[str], settings: str) -> str:
    """Return the summary of everything loaded from these feeds, in plain text."""
    with connect("bi_reader") as reader:
        records = reader.execute(_RECORDS, [feeds]).fetchone() or ()
        risks = reader.execute(_RISKS).fetchall()
    with connect("owner") as owner:
        built = owner.execute(_BUILD).fetchone()
        scores = owner.execute(_SCORES, [_OURS, _NAIVE]).fetchall()
        alerts = owner.execute(_ALERTS).fetchall()
    blocks = [
        _records(feeds, records),
        _build(built),
        _scores(scores, settings),
        _risks(risks),
        _alerts(alerts),
    ]
    return "\n\n".join([*blocks, _addresses()])


def why_failed(client: AirflowClient, dag_id: str, run_id: str) -> str:
    """Return the tasks of a run that failed and the log to read."""
    failed = [task for task in client.task_instances(dag_id, run_id) if task["state"] == "failed"]
    logs = paths.var("logs", "airflow", f"dag_id={dag_id}", f"run_id={run_id}")
    names = ", ".join(f"{task['task_id']} {task['rendered_map_index'] or ''}".strip() for task in failed)
    return f"{names}\n    see {logs}"


def _number(value: Any) -> str:
    return f"{int(value or 0):,}"


def _records(feeds: list[str], found: Any) -> str:
    loads, received, loaded, partly, rejected, duplicate, unchanged, filtered, held, rows, bad_rows = found
    return (
        f"RECORDS  {_number(received)} received in {_number(loads)} loads of {len(feeds)} feeds =\n"
        f"         {_number(loaded)} loaded + {_number(partly)} partly rejected "
        f"+ {_number(rejected)} rejected\n"
        f"         + {_number(duplicate)} duplicate "
        f"+ {_number(unchanged)} unchanged + {_number(filtered)} filtered "
        f"+ {_number(held)} held by the gate\n"
        f"         {_number(rows)} rows loaded, {_number(bad_rows)} rows rejected "
        f"(marts.data_health_rejected says why)"
    )


def _build(found: Any) -> str:
    if not found:
        return "TABLES   no build was published"
    models, passed, warned, failed, took = found
    return (
        f"TABLES   {_number(models)} models built; {_number(passed)} tests passed, {_number(warned)} warned, "
        f"{_number(failed)} failed ({took.total_seconds():.0f} s)"
    )


def _scores(found: list[Any], settings: str) -> str:
    if not found:
        return "FORECAST no model was trained"
    how = "trained on a stated sample; `make train` does it whole" if settings == "demo" else ""
    lines = [
        "FORECAST interval score, less is better: our model's against seasonal naive's, in units of "
        f"the latter's error, over rolling cutoffs {how and f'({how})'}"
    ]
    for grain, ours, naive, cells, is_served in found:
        gain = _gain(ours, naive) + ("" if is_served else "; kept back, not served")
        lines.append(
            f"         {grain:<6} {_score(ours)} against {_score(naive)}  {gain}  ({_number(cells)} cells)"
        )
    return "\n".join(lines)


def _gain(ours: float | None, naive: float | None) -> str:
    if ours is None or not naive:
        return "not comparable"
    percent = round(100 * (1 - ours / naive))
    return f"{percent} % better" if percent > 0 else f"{-percent} % worse" if percent < 0 else "as good"


def _score(value: float | None) -> str:
    return "  –  " if value is None else f"{value:.4f}"


def _risks(found: list[Any]) -> str:
    if not found:
        return "NEW RISK none: no place with a known capacity is likely to come over its limit"
    lines = ["NEW RISK the five highest among places that are not over their limit now · 新增风险最高的五处"]
    for zh, en, service, service_zh, probability, limit, capacity, period_end, known_at, timezone in found:
        # Where capacity can never be exceeded as it is published, the limit leaves a reserve free.
        means = (
            f"{capacity:g}, its capacity · 占用超过容量"
            if limit >= capacity
            else f"{limit:g} of {capacity:g}, so less is free than the reserve · 空闲低于储备"
        )
        name = " ".join(dict.fromkeys(word for word in (zh, en) if word))
        lines.append(
            f"         {100 * probability:3.0f} %  {name}\n"
            f"                {service} · {service_zh}: more than {means}, "
            f"by {period_end:%Y-%m-%d %H:%M}, as known at {known_at:%Y-%m-%d %H:%M} ({timezone})"
        )
    return "\n".join(lines)


def _alerts(found: list[Any]) -> str:
    if not found:
        return "ALERTS   none"
    lines = [f"ALERTS   sent by {', '.join(sorted({row[4] for row in found if row[4]})) or 'nobody'}"]
    lines += [
        f"         {severity:<11} {state:<8} {rule}: {count} ({sent} sent)"
        for severity, state, rule, count, _, sent in found
    ]
    return "\n".join(
        [*lines, f"         to read: .venv/bin/caregrid alerts read (files: {paths.var('outbox')})"]
    )


def _addresses() -> str:
    shown = {
        "airflow": "runs, logs, triggers",
        "mlflow": "models and back-tests",
        "docs": "tables, lineage, quality checks",
    }
    lines = ["OPEN"]
    lines += [f"         {url}  {name}: {shown[name]}" for name, url in services.addresses().items()]
    lines.append("         BI tools: `make bi-url`; SQL: `make psql`; stop everything: `make down`")
    lines.append(
        "         The feeds are paused now; switch them on in Airflow, and they follow their schedules."
    )
    lines.append("SIGN IN  to Airflow")
    lines += [f"         {name} / {word}" for name, word in accounts.passwords().items()]
    lines.append(f"         (kept in {accounts.passwords_file()}, readable by you alone)")
    return "\n".join(lines)
