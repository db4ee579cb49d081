"""Writes var/docs: dbt's documentation, Data Docs, and the page of the newest build. Outside the hot path."""

from __future__ import annotations

import html
from pathlib import Path

from caregrid import paths
from caregrid.database.connect import connect
from caregrid.platform import docs_site
from caregrid.platform.lineage_page import write_lineage_page

_BUILD = """
select build_id, kind, status, started_at, finished_at, models_built, tests_passed, tests_warned,
       tests_failed, reason
from ledger.build where status <> 'running' order by build_id desc limit 1
"""
_NODES = """
select unique_id, resource_type, status, execution_seconds, coalesce(failures, 0), coalesce(message, '')
from ledger.node_result where build_id = %s and resource_type <> 'exposure'
order by status in ('success', 'pass') , execution_seconds desc
"""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>CareGrid · build {build_id}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 2rem; color: #1b2733 }}
td, th {{ padding: .2rem .8rem; text-align: left; border-bottom: 1px solid #dde3e8 }}
td:first-child {{ overflow-wrap: anywhere }} th {{ white-space: nowrap }}
.bad {{ color: #a3211c; font-weight: 600 }}
</style></head><body>
<h1>Build {build_id} · 构建 {build_id}</h1><p>{line}</p>
<table><tr><th>Model or test · 模型或测试</th><th>Kind · 类别</th><th>Result · 结果</th>
<th>Seconds · 秒</th><th>Rows that fail · 失败行数</th><th>Message · 说明</th></tr>
{rows}</table></body></html>
"""


def write_all() -> list[Path]:
    """Write every page and return them."""
    from caregrid.gates.docs import build_docs
    from caregrid.warehouse import generate_documentation

    pages = [generate_documentation(), write_lineage_page(), Path(build_docs()), write_build_page()]
    docs_site.write_index()
    return pages


def write_build_page() -> Path:
    """Write models and tests of the newest build that has ended as one page, failures first."""
    with connect("owner") as connection:
        build = connection.execute(_BUILD).fetchone()
        nodes = connection.execute(_NODES, [build[0]]).fetchall() if build else []
    rows = "\n".join(_row(node) for node in nodes)
    page = paths.var("docs", "build.html")
    page.parent.mkdir(parents=True, exist_ok=True)
    if build:
        number, kind, status, started, finished, models, passed, warned, failed, reason = build
        line = (
            f"{kind}: {status}, {started:%Y-%m-%d %H:%M:%S} – {finished or started:%H:%M:%S} UTC; "
            f"{models or 0} models; "
            f"tests: {passed or 0} passed, {warned or 0} warned, {failed or 0} failed. {reason or ''}"
        )
    else:
        number, line = 0, "No build has ended yet. · 尚无已结束的构建。"
    page.write_text(_PAGE.format(build_id=number, line=html.escape(line), rows=rows), encoding="utf-8")
    return page


def _row(node: tuple[str, str, str, float, int, str]) -> str:
    name, kind, status, seconds, failures, message = node
    mark = "" if status in ("success", "pass") else ' class="bad"'
    cells = [name, kind, f"{seconds:.2f}", str(failures), message]
    shown = [html.escape(cell) for cell in cells]
    return (
        f"<tr><td>{shown[0]}</td><td>{shown[1]}</td><td{mark}>{html.escape(status)}</td>"
        f"<td>{shown[2]}</td><td>{shown[3]}</td><td>{shown[4]}</td></tr>"
    )
