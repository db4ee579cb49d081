"""The suites of the landing gate: one for a load as a whole, one per contract.

Each is validated against a profile: one row per staged load (usage and quality: per load and
measure), made by the queries in caregrid/gates/profiles. Rows are checked one by one by the contracts, when
they are mapped; here stands what can only be seen of a set: counts, shares, ranges, drift.
"""

from __future__ import annotations

from collections.abc import Callable

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


def load() -> ExpectationSuite:
    """Return what is expected of every load, whatever it holds."""
    return suite(
        "landing_load",
        [
            has_rows("There is a load to check"),
            unique(KEYS["load"], "Each load is profiled once"),
            between("received", "critical", "The file holds at least one record", low=1),
            between("rows", "critical", "At least one record became a row under a contract", low=1),
            between(
                "unaccounted",
                "critical",
                "Every record received was loaded, rejected, filtered or is a duplicate",
                high=0,
            ),
            between(
                "rejected_share",
                "critical",
                "At most half of the records break their contract",
                high=0.5,
                name="rejected_share_at_most_half",
            ),
            between(
                "rejected_share", "warning", "At most one record in twenty breaks its contract", high=0.05
            ),
            between("duplicate_share", "warning", "At most one record in five repeats another", high=0.2),
            between(
                "received_to_smallest",
                "critical",
                "The load is not a fragment: at least a tenth of the "
                "smallest of the source's last accepted loads (once there are three)",
                low=0.1,
            ),
            between(
                "received_to_usual",
                "warning",
                "As many records as usual for this source: between half and "
                "twice the median of its last accepted loads",
                low=0.5,
                high=2.0,
            ),
            between(
                "contracts_without_rows", "warning", "Every contract that the feed promises got rows", high=0
            ),
            between(
                "hours_known_after_published",
                "warning",
                "Nothing became known more than a day after the file that says it was published",
                high=24,
            ),
        ],
    )


def facility() -> ExpectationSuite:
    """Return what is expected of the facility descriptions of one load."""
    return suite(
        "landing_facility",
        [
            has_rows("There is a load of facilities to check"),
            unique(KEYS["facility"], "Each load is profiled once"),
            between(
                "name_missing_share",
                "critical",
                "At least half of the facilities have a name",
                high=0.5,
                name="name_missing_share_at_most_half",
            ),
            between("name_missing_share", "warning", "Practically every facility has a name", high=0.02),
            between(
                "distinct_latitudes",
                "critical",
                "Coordinates differ from place to place: one value all over is no position",
                low=2,
            ),
            between(
                "distinct_longitudes",
                "critical",
                "Coordinates differ from place to place: one value all over is no position",
                low=2,
            ),
            between("repeated_place_share", "warning", "A place stands once in a file", high=0.02),
            between("closed_share", "warning", "Not more than half of the facilities are closed", high=0.5),
            between("ended_before_begun_share", "critical", "No validity ends before it begins", high=0),
            between("country_missing_share", "warning", "Every facility has a country", high=0),
        ],
    )


def resource() -> ExpectationSuite:
    """Return what is expected of the resources of one load."""
    return suite(
        "landing_resource",
        [
            has_rows("There is a load of resources to check"),
            unique(KEYS["resource"], "Each load is profiled once"),
            between("repeated_share", "warning", "A resource stands once in a file", high=0.02),
            between("ended_before_begun_share", "critical", "No validity ends before it begins", high=0),
        ],
    )


def usage() -> ExpectationSuite:
    """Return what is expected of the usage values of one load, per measure."""
    return suite(
        "landing_usage",
        [
            has_rows("There is a load of usage to check"),
            unique(KEYS["usage"], "Each measure of a load is profiled once"),
            between("missing_share", "warning", "Most values of the measure are there", high=0.9),
            between("suppressed_share", "warning", "Most values of the measure are not suppressed", high=0.9),
            between(
                "known_too_early_share",
                "critical",
                "A count is known after its period has ended, never before",
                high=0,
            ),
            between(
                "future_share",
                "warning",
                "No reported period begins more than a day after publication",
                high=0,
            ),
            between(
                "over_bound_share",
                "critical",
                "A rate is at most 1, and a stay or a share lies within what its unit can hold",
                high=0.01,
            ),
            between(
                "mean_to_usual",
                "warning",
                "The values are of the usual size: their mean is between a fifth and "
                "five times that of the last accepted load",
                low=0.2,
                high=5.0,
            ),
            between(
                "inferred_place_share",
                "warning",
                "Where a registry describes the places of this system, it knows four in five of them",
                high=0.2,
            ),
            between("constant_value", "warning", "The values are not one number all over", high=0),
        ],
    )


def quality() -> ExpectationSuite:
    """Return what is expected of the quality values of one load, per measure."""
    return suite(
        "landing_quality",
        [
            has_rows("There is a load of quality values to check"),
            unique(KEYS["quality"], "Each measure of a load is profiled once"),
            between("directions", "critical", "A measure has one direction of improvement", high=1),
            between("kinds", "critical", "A measure has one kind of value", high=1),
            between("units", "warning", "A measure has one unit", high=1),
            between(
                "over_bound_share",
                "critical",
                "Per cent lies within 0 and 100, a share within 0 and 1",
                high=0.01,
            ),
            between("missing_share", "warning", "At least one value in twenty is reported", high=0.95),
            between(
                "numerator_over_denominator_share",
                "warning",
                "A share's numerator does not exceed its denominator",
                high=0,
            ),
            between("period_reversed_share", "critical", "No period ends before it begins", high=0),
        ],
    )


def improvement_action() -> ExpectationSuite:
    """Return what is expected of the improvement actions of one load."""
    return suite(
        "landing_improvement_action",
        [
            has_rows("There is a load of improvement actions to check"),
            unique(KEYS["improvement_action"], "Each load is profiled once"),
            between("due_before_started_share", "critical", "No action is due before it started", high=0),
            between("owner_missing_share", "warning", "Most actions have an owner", high=0.2),
            between(
                "done_without_effect_share",
                "warning",
                "Most finished actions say what they achieved",
                high=0.5,
            ),
        ],
    )


def external_forecast() -> ExpectationSuite:
    """Return what is expected of the forecasts of others in one load."""
    return suite(
        "landing_external_forecast",
        [
            has_rows("There is a load of forecasts to check"),
            unique(KEYS["external_forecast"], "Each load is profiled once"),
            between("crossing_share", "critical", "A higher quantile is not a lower value", high=0),
            between("negative_share", "warning", "No forecast of a count is below zero", high=0),
            between("smallest_horizon", "warning", "No forecast is about the time before it was made", low=0),
        ],
    )


SUITES: dict[str, Callable[[], ExpectationSuite]] = {
    "load": load,
    "facility": facility,
    "resource": resource,
    "usage": usage,
    "quality": quality,
    "improvement_action": improvement_action,
    "external_forecast": external_forecast,
}
