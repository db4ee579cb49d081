"""`make demo`: the whole job through Airflow, with a line of progress and a time per stage."""

from __future__ import annotations

import concurrent.futures
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from caregrid import moment, paths, terminal
from caregrid.errors import CareGridError
from caregrid.feeds import Feed, feed_files, load_feed
from caregrid.platform import airflow_client, services, summary
from caregrid.platform.airflow_client import AirflowClient
from caregrid.platform.follow import CHAIN, Progress, follow

CHOICE = Path(__file__).with_name("demo_feeds.yml")
_WORDS = {
    "ingest": "feeds: land, map, stage",
    "build_warehouse": "gate, build, publish",
    "train_forecast": "back-test and train",
    "score_forecast": "forecast and risk",
    "evaluate_alerts": "alerts",
    "document_warehouse": "documentation",
}


class Stages:
    """Prints one line per stage with its time, and what is going on in between."""

    def __init__(self) -> None:
        self.started = self._stage_started = time.monotonic()
        self._is_terminal = sys.stdout.isatty()
        self._last = ""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        started = time.monotonic()
        self.note(f"… {name}")
        yield
        self.done(name, time.monotonic() - started)

    def note(self, text: str) -> None:
        """Show what is going on now: overwritten on a terminal, a line where it changed elsewhere."""
        if text == self._last:
            return
        self._last = text
        if self._is_terminal:
            terminal.begin_line(f"  {text[:110]}")
        else:
            print(f"  {text}", flush=True)

    def done(self, name: str, seconds: float) -> None:
        """Write the line of a stage that has ended."""
        self._last = ""
        if self._is_terminal:
            terminal.begin_line()
        print(f"✓ {name:<58} {seconds:6.1f} s", flush=True)


def choose(which: str) -> dict[str, str | None]:
    """Return {feed: glob of the files to take, None for all} of the demo.

    Args:
        which: `demo` for the named choice, `all`, or names separated by commas.

    Raises:
        CareGridError: there is no such feed.
    """
    from ruamel.yaml import YAML

    mirror = paths.feeds_base() != paths.var("simulated") and paths.feeds_base().is_dir()
    names = [file.stem for file in feed_files()]
    chosen: dict[str, str | None]
    if which == "all":
        chosen = {name: None for name in names if mirror or is_simulated(load_feed(name))}
    elif which == "demo":
        named = YAML(typ="safe").load(CHOICE.read_text(encoding="utf-8"))
        entries = [*named["mirror" if mirror else "alone"], *named["simulated"]]
        chosen = {entry["feed"]: entry.get("files") for entry in entries}
    else:
        chosen = {name.strip(): None for name in which.split(",") if name.strip()}
    unknown = sorted(set(chosen) - set(names))
    if unknown:
        there = ", ".join(names)
        raise CareGridError(f"there is no feed {', '.join(unknown)}", fix=f"feeds there are: {there}")
    return dict(sorted(chosen.items()))


def is_simulated(feed: Feed) -> bool:
    """Whether the simulator writes the feed's files."""
    return feed.data.get("base") == "simulated"


def run(which: str = "demo", settings: str = "demo") -> int:
    """Run the demo; return 0 if every run of the chain ended well, else 1.

    Args:
        which: see `choose`.
        settings: which settings of the forecaster to train with.
    """
    os.environ["CAREGRID_FORECAST_SETTINGS"] = settings
    stages = Stages()
    chosen = choose(which)
    # A mistake in the YAML is told before anything starts.
    feeds = [load_feed(name) for name in chosen]
    with stages.stage("database"):
        services.start_database()
        services.migrate_warehouse()
    _start(stages, feeds)
    client = airflow_client.sign_in()
    ingests, progress = _drive(client, chosen, feeds, stages)
    print(f"\nthe whole job took {time.monotonic() - stages.started:.0f} s\n")
    failed = progress.failed()
    print(summary.text(list(chosen), settings))
    for dag_id, run_id in failed:
        print(f"✗ {dag_id} failed: {summary.why_failed(client, dag_id, run_id)}", file=sys.stderr)
    # Of all feeds some may be broken on purpose; of the choice none.
    forgiven = set(ingests) if which == "all" else set()
    return 1 if {dag_id for dag_id, _ in failed} - forgiven else 0


def drive(which: str) -> int:
    """Run the chain of some feeds on services that run already; return 0 if every run ended well, else 1.

    Args:
        which: see `choose`.
    """
    chosen = choose(which)
    client = airflow_client.sign_in()
    _, progress = _drive(client, chosen, [load_feed(name) for name in chosen], Stages())
    for dag_id, run_id in progress.failed():
        print(f"✗ {dag_id} failed: {summary.why_failed(client, dag_id, run_id)}", file=sys.stderr)
    return 1 if progress.failed() else 0


def _drive(
    client: AirflowClient, chosen: dict[str, str | None], feeds: list[Feed], stages: Stages
) -> tuple[dict[str, str], Progress]:
    """Trigger each feed's ingest, follow what it sets off; return the ingests' {dag: run}, and all runs."""
    _look_back(feeds)
    since = datetime.now(UTC).isoformat()
    ingests = _trigger(client, chosen, stages)
    return ingests, _follow(client, ingests, since, stages)


def _start(stages: Stages, chosen: list[Feed]) -> None:
    with (
        stages.stage("Airflow, MLflow (tables, then servers)"),
        concurrent.futures.ThreadPoolExecutor() as pool,
    ):
        simulating = pool.submit(_simulate, chosen)
        fresh = not services.is_up() and services.migrate_airflow()
        others = [services.start_mlflow(), services.start_docs()]
        services.start_airflow(fresh)
        services.wait_all(others)
        simulating.result()


def _look_back(chosen: list[Feed]) -> None:
    """Let the alerts see each feed at its own newest moment: open data are of the past.

    The simulated network has one clock for all its feeds, so that the one that fell silent is late.
    """
    now = {"*": moment.LATEST}
    manifest = paths.var("simulated", "manifest.json")
    if manifest.exists():
        told = json.loads(manifest.read_text(encoding="utf-8"))
        ended = datetime.fromisoformat(told["as_of"]).replace(tzinfo=ZoneInfo(told["timezone"]))
        now |= {feed.name: ended.isoformat() for feed in chosen if is_simulated(feed)}
    moment.declare(now)


def _simulate(chosen: list[Feed]) -> None:
    """Write the simulator's files once: a second demo finds the same bytes and nothing new."""
    target = paths.var("simulated")
    if any(is_simulated(feed) for feed in chosen) and not target.exists():
        from caregrid.simulate import simulate

        simulate(target)


def _trigger(client: AirflowClient, chosen: dict[str, str | None], stages: Stages) -> dict[str, str]:
    wanted = {f"ingest_{name}" for name in chosen}
    with stages.stage("DAGs parsed"):
        deadline = time.monotonic() + 120
        while not wanted | {link.dag_id for link in CHAIN} <= client.dag_ids():
            if time.monotonic() > deadline:
                problems = "\n".join(client.import_errors()) or "no import errors"
                raise CareGridError(
                    f"Airflow has not parsed every DAG:\n{problems}",
                    where=str(paths.var("logs", "airflow-dag-processor.log")),
                    fix="mend what it names (`caregrid feeds check` tells of feeds), or give a busy machine "
                    "more time: run the command again",
                )
            time.sleep(0.5)
        _wait_for_schedules_to_pass(client, sorted(wanted))
        for dag_id in sorted(wanted):
            client.unpause(dag_id)
        return {
            f"ingest_{name}": client.trigger(f"ingest_{name}", {"files": files} if files else None)
            for name, files in chosen.items()
        }


def _wait_for_schedules_to_pass(client: AirflowClient, dag_ids: list[str]) -> None:
    """Wait, 45 s at most, while a scheduled run is due just now: it would take more than was asked for.

    A feed that has run by its schedule and was paused is always due: that run comes first, and takes all.
    """
    deadline = time.monotonic() + 45
    for dag_id in dag_ids:
        while time.monotonic() < deadline:
            due = client.next_run_after(dag_id)
            if due is None or due > datetime.now(UTC) + timedelta(seconds=5):
                break
            time.sleep(1)


def _follow(client: AirflowClient, ingests: dict[str, str], since: str, stages: Stages) -> Progress:
    order = ["ingest", *(link.dag_id for link in CHAIN)]
    begun = time.monotonic()
    reached = 0

    def say(progress: Progress, waiting_for: str) -> None:
        nonlocal reached, begun
        position = order.index(waiting_for) if waiting_for else len(order)
        while reached < position:
            # The documentation is written beside the other stages, and is most often ready before them.
            if order[reached] != "document_warehouse" or time.monotonic() - begun > 1:
                stages.done(_WORDS[order[reached]], time.monotonic() - begun)
            begun, reached = time.monotonic(), reached + 1
        if waiting_for:
            stages.note(f"… {_now(progress, ingests, waiting_for)}")

    return follow(client, ingests, since, say)


def _now(progress: Progress, ingests: dict[str, str], waiting_for: str) -> str:
    if waiting_for != "ingest":
        return _WORDS[waiting_for]
    states: dict[str, Any] = {dag_id: progress.runs.get(dag_id, [{}])[0].get("state") for dag_id in ingests}
    ended = sum(state in ("success", "failed") for state in states.values())
    running = [dag_id.removeprefix("ingest_") for dag_id, state in states.items() if state == "running"]
    more = f" and {len(running) - 3} more" if len(running) > 3 else ""
    return f"{ended} of {len(ingests)} feeds; now {', '.join(running[:3]) or 'waiting'}{more}"
