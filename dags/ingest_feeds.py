"""One DAG per feed, ingest_<feed>, from the YAML files in dags/feeds: land, map, stage."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from airflow.sdk import DAG, Param, dag, get_current_context, get_parsing_context, task
from caregrid.errors import CareGridError
from caregrid.feeds import Feed, feed_files, load_feed
from caregrid.platform.dags import Owner, Tier, cron, feed_asset, settings, with_links
from caregrid.platform.links import LoadLink

DAY = Param(
    None,
    type=["null", "string"],
    format="date",
    title="Publication day · 发布日期",
    description=(
        "Take what was published on this day, and rebuild what it touches. Empty: what is there now. · "
        "取该日发布的数据，并重建受其影响的部分；留空则取当前数据。"
    ),
)

FILES = Param(
    None,
    type=["null", "string"],
    title="Only these files · 仅取这些文件",
    description=(
        "A glob over the paths below the feeds' directory. Empty: all of the feed's files. · "
        "数据源目录下路径的通配符；留空则取全部文件。"
    ),
)


def ingest_dag(feed: Feed) -> DAG:
    """Return the DAG that ingests one feed."""

    @dag(
        dag_id=f"ingest_{feed.name}",
        # The list is searched by this name: it holds the id too.
        dag_display_name=f"ingest_{feed.name} · {feed.title['en']} · {feed.title['zh']}",
        description=f"{feed.title['en']}, from {feed.owner_name}",
        schedule=cron(feed.schedule, feed.timezone) if feed.schedule else None,
        params={"day": DAY, "files": FILES},
        **settings(Owner.DATA_ENGINEERING, Tier.TODAY, "ingest", slow_after=timedelta(minutes=15)),
    )
    def ingest() -> None:
        @task(outlets=[feed_asset(feed.name)])
        def land_and_stage() -> list[str]:
            """Return what could not be taken; the rest is staged and waits for the gate."""
            from caregrid.platform.steps import ingest_feed

            context = get_current_context()
            run = context["dag_run"]
            day = date.fromisoformat(context["params"]["day"]) if context["params"]["day"] else None
            when = (run.run_type.value, run.logical_date)
            return ingest_feed(feed.name, day, when, run.run_id, context["params"]["files"])

        @task(map_index_template="{{ failure }}", retries=0)
        def show_failure(failure: str) -> None:
            """Fail by the name of the file that could not be taken; without one there is no such task."""
            context = get_current_context()
            context["failure"] = failure  # type: ignore[typeddict-unknown-key]
            raise CareGridError(failure, where=str(feed.file), fix="see docs/runbooks/ingest.md")

        show_failure.expand(failure=with_links(land_and_stage(), LoadLink()))

    return ingest()


def broken_dag(name: str, mistakes: str) -> DAG:
    """Return a DAG that shows the mistakes in a feed's YAML; the other feeds go on."""
    common: dict[str, Any] = settings(
        Owner.DATA_ENGINEERING, Tier.TODAY, "ingest", slow_after=timedelta(minutes=15)
    )
    common["doc_md"] = f"**This feed's YAML is wrong.**\n\n```\n{mistakes}\n```\n\n{common['doc_md']}"
    common["tags"] = [*common["tags"], "broken"]

    @dag(
        dag_id=f"ingest_{name}",
        dag_display_name=f"ingest_{name} · wrong YAML · YAML 有误",
        schedule=None,
        **common,
    )
    def ingest() -> None:
        @task(retries=0)
        def check_yaml() -> None:
            raise CareGridError(mistakes)

        check_yaml()

    return ingest()


# A task's process parses this file for one DAG: it need not read the other feeds.
wanted = get_parsing_context().dag_id
for file in feed_files():
    if wanted not in (None, f"ingest_{file.stem}"):
        continue
    try:
        ingest_dag(load_feed(file))
    except CareGridError as error:
        broken_dag(file.stem, str(error))
