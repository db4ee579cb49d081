"""The feed language: one YAML file is one feed. Imports neither polars nor pandas; Airflow parses with it."""

from __future__ import annotations

from caregrid.feeds.confirm import CONFIRM, confirm_lines
from caregrid.feeds.model import Feed, Format, Output, Source
from caregrid.feeds.problems import Problem
from caregrid.feeds.spec import (
    build_source,
    check_file,
    feed_files,
    load_feed,
    load_feeds,
    parse_feed,
    sound_feeds,
)

__all__ = [
    "CONFIRM",
    "Feed",
    "Format",
    "Output",
    "Problem",
    "Source",
    "build_source",
    "check_file",
    "confirm_lines",
    "feed_files",
    "load_feed",
    "load_feeds",
    "parse_feed",
    "sound_feeds",
]
