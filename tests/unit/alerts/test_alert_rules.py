"""Alert rules and channels in YAML: what is wrong, on which line, in which field, and the fix."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from caregrid.alerts.channels import check_names, declared_names, load_channels
from caregrid.alerts.rules import Rule, duration, load_rules
from caregrid.errors import CareGridError
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

GOOD = """rules:
  - rule: full
    kind: observed
    name: {en: Full, zh: 满}
    severity: critical
    measure: occupied
    above: 10
"""


def _load(tmp_path: Path, text: str) -> list[Rule]:
    (tmp_path / "rules.yml").write_text(text, encoding="utf-8")
    return load_rules(tmp_path)


def test_rules_of_caregrid_are_valid_and_of_every_kind() -> None:
    rules = load_rules()
    assert {rule.kind for rule in rules} == {"observed", "forecast", "risk", "stale_feed", "failed_gate"}
    assert all(set(rule.name) == {"en", "zh"} for rule in rules)
    names = {name for rule in rules for name in rule.channels}
    check_names(load_channels(), names, declared_names())


def test_rule_is_read_with_its_defaults(tmp_path: Path) -> None:
    (rule,) = _load(tmp_path, GOOD + "    newest_within: P1DT6H30M\n    dimensions: {waiting_for: 24}\n")
    assert rule.newest_within == timedelta(days=1, hours=6, minutes=30)
    assert rule.dimensions == {"waiting_for": "24"}
    assert (rule.top, rule.of, rule.threshold) == (5, "value", 10)


@pytest.mark.parametrize(
    ("change", "line", "field", "fix"),
    [
        (("measure: occupied", "measure: ocupied"), 6, "rules[0].measure", "did you mean occupied?"),
        (("above: 10", "abov: 10"), 7, "rules[0].abov", "did you mean above?"),
        (("above: 10", "above: ten"), 7, "rules[0].above", "give a number"),
        (("    above: 10\n", ""), 2, "rules[0].above", "give either above or below"),
        (("above: 10", "above: 10\n    below: 3"), 7, "rules[0].above", "give either above or below"),
        (("severity: critical", "severity: bad"), 5, "rules[0].severity", "critical"),
        (("kind: observed", "kind: observd"), 3, "rules[0].kind", "did you mean observed?"),
        (("    kind: observed\n", ""), 2, "rules[0].kind", "add kind"),
        (("{en: Full, zh: 满}", "{en: Full}"), 4, "rules[0].name.zh", "add zh"),
        (("rule: full", "rule: Full House"), 2, "rules[0].rule", "lower_snake_case"),
        (("above: 10", "above: 10\n    resolve_at: 12"), 8, "rules[0].resolve_at", "not over above"),
        (("above: 10", "above: 10\n    newest_within: 6 hours"), 8, "rules[0].newest_within", "PT6H"),
        (
            ("above: 10", "above: 10\n    service_or_resource: [strecher]"),
            8,
            "service_or_resource",
            "stretcher",
        ),
        (("rules:", "rule:"), 1, "rule", "did you mean rules?"),
    ],
)
def test_mistake_names_its_line_its_field_and_the_fix(
    tmp_path: Path, change: tuple[str, str], line: int, field: str, fix: str
) -> None:
    assert change[0] in GOOD
    with pytest.raises(CareGridError) as caught:
        _load(tmp_path, GOOD.replace(*change, 1))
    message = str(caught.value)
    assert f"rules.yml:{line}" in message
    assert field in message
    assert fix in message


def test_every_mistake_of_every_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(GOOD)
    (tmp_path / "b.yml").write_text(GOOD.replace("measure: occupied", "measure: nothing"))
    with pytest.raises(CareGridError) as caught:
        load_rules(tmp_path)
    assert "full stands already at a.yml:2" in str(caught.value)
    assert "nothing" in str(caught.value)


def test_no_rules_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CareGridError, match="no alert rules"):
        load_rules(tmp_path)


def test_broken_yaml_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(CareGridError, match=r"rules.yml:3"):
        _load(tmp_path, "rules:\n  - rule: a\n   kind: [\n")


@given(st.integers(0, 40), st.integers(0, 23), st.integers(0, 59))
def test_duration_is_read_as_written(days: int, hours: int, minutes: int) -> None:
    text = f"P{days}DT{hours}H{minutes}M"
    assert duration(text) == timedelta(days=days, hours=hours, minutes=minutes)


@given(
    st.floats(-100, 100),
    st.floats(-100, 100),
    st.floats(0, 50),
    st.booleans(),
)
def test_what_fires_does_not_resolve_before_it_has_gone_back(
    value: float, threshold: float, margin: float, above: bool
) -> None:
    side = {"above": threshold} if above else {"below": threshold}
    resolve_at = threshold - margin if above else threshold + margin
    rule = Rule("r", "observed", {}, "critical", resolve_at=resolve_at, **side)
    if rule.holds(value, firing=False):
        assert rule.holds(value, firing=True)
    beyond = value > threshold if above else value < threshold
    assert rule.holds(value, firing=False) == beyond


def test_channel_is_on_only_when_its_variable_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [channel.channel for channel in load_channels()] == ["outbox"]
    monkeypatch.setenv("CAREGRID_ALERT_MAIL_URL", "mailto://desk:hunter2@example.org")
    channels = {channel.channel: channel for channel in load_channels()}
    assert set(channels) == {"outbox", "mail"}
    assert channels["mail"].severities == ("critical", "warning")
    assert "hunter2" not in repr(channels["mail"])


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("channels:\n  - {channel: a, url: 'json://x'}\n", "unknown key 'url'"),
        ("channels:\n  - {channel: a}\n", "give either outbox"),
        ("channels:\n  - {channel: a, outbox: ../../etc/passwd}\n", "plain file name"),
        ("channels:\n  - {channel: a, outbox: x}\n  - {channel: a, outbox: y}\n", "rename one"),
        ("channels:\n  - {channel: a, url_from_environment: PATH}\n", "begins with CAREGRID_"),
    ],
)
def test_mistake_in_the_channels_is_told(tmp_path: Path, text: str, fix: str) -> None:
    file = tmp_path / "channels.yml"
    file.write_text(text)
    with pytest.raises(CareGridError) as caught:
        load_channels(file)
    assert "channels.yml:" in str(caught.value)
    assert fix in str(caught.value)


def test_rule_that_speaks_through_an_unknown_channel_is_refused() -> None:
    check_names([], {"mail"}, {"mail"})
    with pytest.raises(CareGridError, match="pager"):
        check_names([], {"pager"}, {"mail"})
