"""Where each served column comes from, as one page: a table a section, a column a line that opens."""

from __future__ import annotations

import html
from pathlib import Path

from caregrid import paths
from caregrid.errors import CareGridError
from caregrid.feeds import feed_files, load_feed
from caregrid.feeds.model import Feed
from caregrid.warehouse.lineage import Lineage, read_lineage
from caregrid.warehouse.lineage_text import filled_text, lineage_text

_SCHEMAS = ("marts", "core")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>CareGrid · where columns come from · 字段来源</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b2733 }}
summary {{ cursor: pointer }} pre {{ background: #eef2f5; padding: .6rem; overflow-x: auto }}
.bad {{ color: #a3211c; font-weight: 600 }}
</style></head><body>
<h1>Where each column comes from <span lang="zh">· 每个字段的来源</span></h1>
<p>Table by table up to what was loaded; below, the columns of the feeds that fill it.
<span lang="zh">逐表上溯至装载的数据；数据源的字段列于页末。</span></p>
{problems}{tables}
<h1>What was loaded, and from which columns of the feeds <span lang="zh">· 装载字段与数据源字段</span></h1>
{loaded}</body></html>
"""


def write_lineage_page() -> Path:
    """Write the page and return it.

    Raises:
        CareGridError: the lineage has not been read yet.
    """
    lineage = read_lineage()
    tables = [
        _section(lineage, table)
        for schema in _SCHEMAS
        for table in sorted(lineage.tables)
        if table.startswith(f"{schema}.")
    ]
    problems = [f'<p class="bad">{html.escape(reason)}</p>' for reason in lineage.unread.values()]
    page = paths.var("docs", "lineage.html")
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(
        _PAGE.format(problems="".join(problems), tables="\n".join(tables), loaded=_loaded(lineage)),
        encoding="utf-8",
    )
    return page


def _feeds() -> list[Feed]:
    found = []
    for file in feed_files():
        try:
            found.append(load_feed(file))
        except CareGridError:
            # A mistake in one feed's YAML is told by its DAG.
            continue
    return found


def _section(lineage: Lineage, table: str) -> str:
    told = {column: lineage_text(lineage, table, column, []) for column in lineage.tables[table]}
    columns = [_opens(column, text) for column, text in told.items()]
    return f'<h2 id="{html.escape(table)}">{html.escape(table)}</h2>\n' + "\n".join(columns)


def _loaded(lineage: Lineage) -> str:
    """Return each canonical column once, with what fills it: many served columns are made of it."""
    above = {found for columns in lineage.tables.values() for made in columns.values() for found in made.of}
    feeds = _feeds()
    told = {
        ".".join(found): filled_text(found, feeds)
        for found in sorted(above)
        if found[0] not in lineage.tables
    }
    return "\n".join(_opens(name, text) for name, text in told.items() if text)


def _opens(name: str, text: str) -> str:
    return f"<details><summary>{html.escape(name)}</summary><pre>{html.escape(text)}</pre></details>"
