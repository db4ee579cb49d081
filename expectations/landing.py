"""The suites of the landing gate: one for a load as a whole, one per contract.

Each is validated against a profile: one row per staged load (usage and quality: per load and
measure), made by the queries in caregrid/gates/profiles. Rows are checked one by one by the contracts, when
they are mapped; here stands what can only be seen of a set: counts, shares, ranges, drift.
"""

from __future__ import annotations

from collections.abc import Callable

from great_expectations import ExpectationSuite

from expectations import contracts
from expectations.building import between, has_rows, suite, unique
from expectations.contracts import KEYS


def load() -> ExpectationSuite:
    """Return what is expected of every load, whatever it holds."""
    return suite(
        "landing_load",
        [
            has_rows("There is a load to check", "有数据可供检查"),
            unique(KEYS["load"], "Each load is profiled once", "每批数据只统计一次"),
            between(
                "received", "critical", "The file holds at least one record", "文件至少有一条记录", low=1
            ),
            between(
                "rows",
                "critical",
                "At least one record became a row under a contract",
                "至少有一条记录按合约成为数据行",
                low=1,
            ),
            between(
                "unaccounted",
                "critical",
                "Every record received was loaded, rejected, filtered or is a duplicate",
                "收到的每条记录都已装载、拒绝、过滤或属重复",
                high=0,
            ),
            between(
                "rejected_share",
                "critical",
                "At most half of the records break their contract",
                "最多一半记录违反合约",
                high=0.5,
                name="rejected_share_at_most_half",
            ),
            between(
                "rejected_share",
                "warning",
                "At most one record in twenty breaks its contract",
                "最多二十分之一的记录违反合约",
                high=0.05,
            ),
            between(
                "duplicate_share",
                "warning",
                "At most one record in five repeats another",
                "最多五分之一的记录重复",
                high=0.2,
            ),
            between(
                "received_to_smallest",
                "critical",
                "The load is not a fragment: at least a tenth of the "
                "smallest of the source's last accepted loads (once there are three)",
                "数据并非残缺：至少为该来源最近接受各批中最小者的十分之一（满三批起）",
                low=0.1,
            ),
            between(
                "received_to_usual",
                "warning",
                "As many records as usual for this source: between half and "
                "twice the median of its last accepted loads",
                "记录数与往常相当：为该来源最近接受各批中位数的一半至两倍",
                low=0.5,
                high=2.0,
            ),
            between(
                "records_to_promised",
                "critical",
                "At least as many records as the feed promises became rows, all that is in them",
                "至少有数据源承诺的记录数完整成为数据行",
                low=1,
            ),
            between(
                "contracts_without_rows",
                "warning",
                "Every contract that the feed promises got rows",
                "数据源承诺的每个合约都有数据行",
                high=0,
            ),
            between(
                "hours_known_after_published",
                "warning",
                "Nothing became known more than a day after the file that says it was published",
                "没有内容在文件发布一天以后才为人所知",
                high=24,
            ),
        ],
    )


SUITES: dict[str, Callable[[], ExpectationSuite]] = {
    "load": load,
    "facility": contracts.facility,
    "resource": contracts.resource,
    "usage": contracts.usage,
    "quality": contracts.quality,
    "improvement_action": contracts.improvement_action,
    "external_forecast": contracts.external_forecast,
}
