"""The suites of the marts gate: what every table must keep, and one suite per mart.

They look at the tables beside the served ones (schemas build_core and build_marts), before publication.
`every_table` is validated against one row per table; the suite of a mart against one row of aggregates, made
by the query of its name in caregrid/gates/profiles. Keys and references of single rows are tested by dbt.
"""

from __future__ import annotations

from collections.abc import Callable

from great_expectations import ExpectationSuite

from expectations import data_health
from expectations.building import between, has_rows, mart, none_of, not_missing, suite, unique


def every_table() -> ExpectationSuite:
    """Return what is expected of every table of core and marts, compared with the one that is served now."""
    return suite(
        "marts_every_table",
        [
            has_rows("There are tables to publish", "有数据表可供发布"),
            unique(("table_name",), "Each table is profiled once", "每张表只统计一次"),
            between(
                "emptied",
                "critical",
                "No table that has rows now would become empty",
                "现有数据的表不会变空",
                high=0,
            ),
            between(
                "rows_to_served",
                "critical",
                "No table would lose more than half of its rows",
                "没有表会失去一半以上的行",
                low=0.5,
            ),
            between(
                "lost_columns",
                "critical",
                "No table would lose a column that readers may use",
                "没有表会失去读者可能使用的列",
                high=0,
            ),
            between(
                "rows_to_served",
                "warning",
                "No table would grow tenfold at once",
                "没有表会一次增长十倍",
                high=10,
                name="rows_to_served_at_most_tenfold",
            ),
        ],
    )


def operations_now_and_next() -> ExpectationSuite:
    """Return what is expected of the board."""
    return mart(
        "operations_now_and_next",
        [
            not_missing(),
            none_of("negative_share", "Nothing counted is negative", "计数没有负值"),
            none_of(
                "impossible_probability_share", "A probability lies within 0 and 1", "概率在 0 至 1 之间"
            ),
            none_of("crossing_share", "The high estimate is not below the median", "高位估计不低于中位数"),
            none_of(
                "wrong_flag_share",
                "Over capacity is flagged exactly where it is so",
                "超容量标记与事实完全一致",
            ),
            between(
                "future_share", "warning", "Nothing was observed in the future", "没有来自未来的观测", high=0
            ),
            between(
                "nameless_share",
                "warning",
                "Nine places in ten have a name",
                "十分之九的地点有名称",
                high=0.1,
            ),
            between(
                "week_old_share",
                "warning",
                "Half of what stands for now is younger than a week",
                "一半的当前值不超过一周",
                high=0.5,
            ),
            between(
                "absurd_occupancy_share",
                "warning",
                "Occupancy is rarely over five times the capacity",
                "占用很少超过容量五倍",
                high=0.01,
            ),
        ],
    )


def operations_area_outlook() -> ExpectationSuite:
    """Return what is expected of the sums over regions and countries."""
    return mart(
        "operations_area_outlook",
        [
            not_missing(),
            none_of("negative_share", "Nothing counted is negative", "计数没有负值"),
            none_of("crossing_share", "Intervals lie within each other", "各预测区间依次包含"),
            none_of("nameless_share", "Every area has a name", "每个区域都有名称"),
            between(
                "mostly_absent_share",
                "warning",
                "Nine sums in ten hold more places than they lack",
                "十分之九的合计所含地点多于缺失地点",
                high=0.1,
            ),
        ],
    )


def quality_scorecard() -> ExpectationSuite:
    """Return what is expected of the scorecard."""
    return mart(
        "quality_scorecard",
        [
            not_missing(),
            none_of("unjudged_share", "Where there is a benchmark there is a judgement", "有基准处即有评价"),
            none_of("reversed_share", "No period ends before it begins", "时段不会先结束后开始"),
            none_of("negative_share", "No count of actions is negative", "措施数没有负值"),
            between(
                "impossible_percent_share",
                "warning",
                "Per cent lies within 0 and 100",
                "百分数在 0 至 100 之间",
                high=0.01,
            ),
            between(
                "without_value_share",
                "warning",
                "A tenth of the values at least is reported",
                "至少十分之一的值已上报",
                high=0.9,
            ),
            between("nameless_measure_share", "warning", "Measures have names", "指标有名称", high=0.1),
        ],
    )


def planning_utilisation() -> ExpectationSuite:
    """Return what is expected of usage, frequency and utilisation."""
    return mart(
        "planning_utilisation",
        [
            between(
                "missing",
                "warning",
                "There are rows where there is usage",
                "有使用数据处即有数据行",
                high=0,
                name="not_missing",
            ),
            none_of("negative_share", "Nothing counted is negative", "计数没有负值"),
            none_of("reversed_share", "No period ends before it begins", "时段不会先结束后开始"),
            none_of("impossible_coverage_share", "Coverage lies within 0 and 1", "覆盖率在 0 至 1 之间"),
            none_of(
                "impossible_rate_share",
                "The share of time over capacity lies within 0 and 1",
                "超容量时间占比在 0 至 1 之间",
            ),
            none_of(
                "more_places_than_expected_share",
                "Not more places report than exist",
                "上报的地点不多于存在的地点",
            ),
            between(
                "absurd_share",
                "warning",
                "Use is rarely a multiple of what there is",
                "使用量很少是现有量的数倍",
                high=0.01,
            ),
        ],
    )


# The marts, by the names of their tables.
MARTS: dict[str, Callable[[], ExpectationSuite]] = {
    build.__name__: build
    for build in (
        operations_now_and_next,
        operations_area_outlook,
        quality_scorecard,
        planning_utilisation,
        data_health.data_health_conservation,
        data_health.data_health_freshness,
        data_health.data_health_coverage,
        data_health.data_health_gaps,
        data_health.data_health_rejected,
        data_health.data_health_left_out,
        data_health.data_health_total_check,
        data_health.data_health_source_difference,
        data_health.data_health_panel_change,
        data_health.data_health_completeness,
    )
}
