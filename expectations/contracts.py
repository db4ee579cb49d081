"""What is expected of the rows of one load, contract by contract; see expectations.landing."""

from __future__ import annotations

from great_expectations import ExpectationSuite

from expectations.building import between, has_rows, suite, unique

# What identifies a row of each profile.
KEYS: dict[str, tuple[str, ...]] = {
    "load": ("load_id",),
    "facility": ("load_id",),
    "resource": ("load_id",),
    "usage": ("load_id", "measure"),
    "quality": ("load_id", "measure"),
    "improvement_action": ("load_id",),
    "external_forecast": ("load_id",),
}


def facility() -> ExpectationSuite:
    """Return what is expected of the facility descriptions of one load."""
    return suite(
        "landing_facility",
        [
            has_rows("There is a load of facilities to check", "有机构数据可供检查"),
            unique(KEYS["facility"], "Each load is profiled once", "每批数据只统计一次"),
            between(
                "name_missing_share",
                "critical",
                "At least half of the facilities have a name",
                "至少一半机构有名称",
                high=0.5,
                name="name_missing_share_at_most_half",
            ),
            between(
                "name_missing_share",
                "warning",
                "Practically every facility has a name",
                "几乎每个机构都有名称",
                high=0.02,
            ),
            between(
                "distinct_latitudes",
                "critical",
                "Coordinates differ from place to place: one value all over is no position",
                "各地坐标不同：处处相同的值不是位置",
                low=2,
            ),
            between(
                "distinct_longitudes",
                "critical",
                "Coordinates differ from place to place: one value all over is no position",
                "各地坐标不同：处处相同的值不是位置",
                low=2,
            ),
            between(
                "repeated_place_share",
                "warning",
                "A place stands once in a file",
                "同一地点在文件中只出现一次",
                high=0.02,
            ),
            between(
                "closed_share",
                "warning",
                "Not more than half of the facilities are closed",
                "关闭的机构不超过一半",
                high=0.5,
            ),
            between(
                "country_missing_share", "warning", "Every facility has a country", "每个机构都有国家", high=0
            ),
        ],
    )


def resource() -> ExpectationSuite:
    """Return what is expected of the resources of one load."""
    return suite(
        "landing_resource",
        [
            has_rows("There is a load of resources to check", "有资源数据可供检查"),
            unique(KEYS["resource"], "Each load is profiled once", "每批数据只统计一次"),
            between(
                "repeated_share",
                "warning",
                "A resource stands once in a file",
                "同一资源在文件中只出现一次",
                high=0.02,
            ),
        ],
    )


def usage() -> ExpectationSuite:
    """Return what is expected of the usage values of one load, per measure."""
    return suite(
        "landing_usage",
        [
            has_rows("There is a load of usage to check", "有使用数据可供检查"),
            unique(KEYS["usage"], "Each measure of a load is profiled once", "每批数据的每个指标只统计一次"),
            between(
                "missing_share",
                "warning",
                "Most values of the measure are there",
                "该指标的大多数值没有缺失",
                high=0.9,
            ),
            between(
                "suppressed_share",
                "warning",
                "Most values of the measure are not suppressed",
                "该指标的大多数值未被隐去",
                high=0.9,
            ),
            between(
                "known_too_early_share",
                "critical",
                "A count is known after its period has ended, never before",
                "计数在其时段结束之后才为人所知，绝不在之前",
                high=0,
            ),
            between(
                "future_share",
                "warning",
                "No reported period begins more than a day after publication",
                "没有时段在发布一天以后才开始",
                high=0,
            ),
            between(
                "over_bound_share",
                "critical",
                "A stay or a share lies within what its unit can hold",
                "停留时长或占比在其单位的合理范围内",
                high=0.01,
            ),
            between(
                "mean_to_usual",
                "warning",
                "The values are of the usual size: their mean is between a fifth and "
                "five times that of the last accepted load",
                "数值大小如常：均值为上次接受数据的五分之一至五倍",
                low=0.2,
                high=5.0,
            ),
            between(
                "inferred_place_share",
                "warning",
                "Where a registry describes the places of this system, it knows four in five of them",
                "若有登记册描述该体系的地点，则五分之四已登记",
                high=0.2,
            ),
            between(
                "constant_value",
                "warning",
                "The values are not one number all over",
                "数值并非处处相同",
                high=0,
            ),
        ],
    )


def quality() -> ExpectationSuite:
    """Return what is expected of the quality values of one load, per measure."""
    return suite(
        "landing_quality",
        [
            has_rows("There is a load of quality values to check", "有质量数据可供检查"),
            unique(
                KEYS["quality"], "Each measure of a load is profiled once", "每批数据的每个指标只统计一次"
            ),
            between(
                "directions",
                "critical",
                "A measure has one direction of improvement",
                "一个指标只有一个改进方向",
                high=1,
            ),
            between(
                "kinds", "critical", "A measure has one kind of value", "一个指标只有一种数值类型", high=1
            ),
            between("units", "warning", "A measure has one unit", "一个指标只有一个单位", high=1),
            between(
                "over_bound_share",
                "critical",
                "Per cent lies within 0 and 100, a share within 0 and 1",
                "百分数在 0 至 100 之间，占比在 0 至 1 之间",
                high=0.01,
            ),
            between(
                "missing_share",
                "warning",
                "At least one value in twenty is reported",
                "至少二十分之一的值已上报",
                high=0.95,
            ),
            between(
                "numerator_over_denominator_share",
                "warning",
                "A share's numerator does not exceed its denominator",
                "占比的分子不超过分母",
                high=0,
            ),
        ],
    )


def improvement_action() -> ExpectationSuite:
    """Return what is expected of the improvement actions of one load."""
    return suite(
        "landing_improvement_action",
        [
            has_rows("There is a load of improvement actions to check", "有改进措施数据可供检查"),
            unique(KEYS["improvement_action"], "Each load is profiled once", "每批数据只统计一次"),
            between(
                "owner_missing_share", "warning", "Most actions have an owner", "大多数措施有负责人", high=0.2
            ),
            between(
                "done_without_effect_share",
                "warning",
                "Most finished actions say what they achieved",
                "大多数已完成的措施说明了成效",
                high=0.5,
            ),
        ],
    )


def external_forecast() -> ExpectationSuite:
    """Return what is expected of the forecasts of others in one load."""
    return suite(
        "landing_external_forecast",
        [
            has_rows("There is a load of forecasts to check", "有预测数据可供检查"),
            unique(KEYS["external_forecast"], "Each load is profiled once", "每批数据只统计一次"),
            between(
                "crossing_share",
                "critical",
                "A higher quantile is not a lower value",
                "更高的分位数不会是更低的值",
                high=0,
            ),
        ],
    )
