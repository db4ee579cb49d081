"""What is expected of the marts that tell of the data themselves; see expectations.marts."""

from __future__ import annotations

from great_expectations import ExpectationSuite

from expectations.building import between, mart, none_of, not_missing


def data_health_conservation() -> ExpectationSuite:
    """Return what is expected of the account of records: the invariant itself."""
    return mart(
        "data_health_conservation",
        [
            not_missing(),
            none_of(
                "loads_not_conserved", "Every record received is accounted for", "收到的每条记录都有去向"
            ),
            none_of(
                "loads_rows_not_conserved",
                "Every row made of a record is accounted for",
                "由记录产生的每一行都有去向",
            ),
            none_of("empty_accepted_loads", "No load was accepted that holds nothing", "没有接受空的数据"),
        ],
    )


def data_health_freshness() -> ExpectationSuite:
    """Return what is expected of the freshness of feeds."""
    return mart(
        "data_health_freshness",
        [
            not_missing(),
            none_of(
                "feeds_without_due_time",
                "A feed with a cadence has a time when it is due",
                "有周期的数据源都有应到时间",
            ),
            between(
                "feeds_from_the_future",
                "warning",
                "No feed was published in the future",
                "没有来自未来的发布",
                high=0,
            ),
        ],
    )


def data_health_coverage() -> ExpectationSuite:
    """Return what is expected of coverage."""
    return mart(
        "data_health_coverage",
        [
            not_missing(),
            none_of("impossible_rates", "Coverage lies within 0 and 1", "覆盖率在 0 至 1 之间"),
            none_of(
                "more_than_expected",
                "Not more reports arrived than were expected",
                "到达的报告不多于应到的报告",
            ),
            between(
                "overall_rate",
                "warning",
                "More than one expected report in fifty arrived",
                "应到的报告到达了五十分之一以上",
                low=0.02,
            ),
        ],
    )


def data_health_gaps() -> ExpectationSuite:
    """Return what is expected of the list of holes in time."""
    return mart(
        "data_health_gaps",
        [
            none_of("reversed", "No gap ends before it begins", "缺口不会先结束后开始"),
            none_of("nothing_missing", "A gap misses something", "缺口确有缺失"),
        ],
    )


def data_health_rejected() -> ExpectationSuite:
    """Return what is expected of the list of rejects."""
    return mart(
        "data_health_rejected",
        [
            none_of("unexplained", "Every reject has a reason", "每条拒绝都有原因"),
            none_of(
                "loads_without_reasons",
                "Every load with rejects stands in the list",
                "凡有拒绝的数据都列在表中",
            ),
        ],
    )


def data_health_left_out() -> ExpectationSuite:
    """Return what is expected of the list of what was left out."""
    return mart(
        "data_health_left_out",
        [none_of("unexplained", "Whatever was left out has its reason", "凡未纳入者都有原因")],
    )


def data_health_total_check() -> ExpectationSuite:
    """Return what is expected of the comparison of totals with their parts."""
    return mart(
        "data_health_total_check",
        [
            none_of("without_parts", "A total is compared with something", "合计有可比较的对象"),
            none_of("wrongly_agreeing", "What is said to agree does agree", "标为一致者确实一致"),
            between(
                "disagreeing_share",
                "warning",
                "Nine totals in ten agree with their parts",
                "十分之九的合计与分项一致",
                high=0.1,
            ),
        ],
    )


def data_health_source_difference() -> ExpectationSuite:
    """Return what is expected of the comparison of two sources."""
    return mart(
        "data_health_source_difference",
        [
            none_of("impossible", "Not more periods differ than are shared", "不一致的时段不多于共有的时段"),
            between(
                "differing_share",
                "warning",
                "Two sources agree in nine periods of ten",
                "两个来源在十分之九的时段一致",
                high=0.1,
            ),
        ],
    )


def data_health_panel_change() -> ExpectationSuite:
    """Return what is expected of the list of changes in who reports."""
    return mart(
        "data_health_panel_change", [none_of("unchanged", "Only changes stand in the list", "表中只有变化")]
    )


def data_health_completeness() -> ExpectationSuite:
    """Return what is expected of the shares of empty attributes."""
    return mart(
        "data_health_completeness",
        [none_of("impossible", "A share lies within 0 and 1", "占比在 0 至 1 之间")],
    )
