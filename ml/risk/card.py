"""The model card: the source attributes US rules list for predictive decision support, as far as known."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .attributes import ATTRIBUTES, RULE
from .evaluate import OURS, groups
from .splits import TRAIN
from .table import EVENT

if TYPE_CHECKING:
    from .command import Trained

NOT_STATED = "not stated"

# (A)(5)-(13) and the words by which a column's name shows that it carries one.
VARIABLES = {
    "race": r"race|ethnic.?origin", "ethnicity": r"ethnic", "language": r"language",
    "sexual orientation": r"sexual.?orient", "gender identity": r"gender.?identity",
    "sex": r"^sex$|^gender$|birth.?sex", "date of birth": r"birth|^age|_age$|^dob$",
    "social determinants of health": r"insur|payer|housing|homeless|income|depriv|educat|marital",
    "health status assessments": r"frail|disab|functional|adl|mental.?status|pregnan",
}  # fmt: skip


@dataclass(frozen=True)
class Attribute:
    """One line of the card. `source` is `measured`, `stated` by a person, or `not stated`."""

    key: str
    group: str
    attribute: str
    value: str
    source: str


def attributes(trained: Trained, stated: dict[str, str]) -> list[Attribute]:
    """Return every attribute of the rule in its order; nothing is made up."""
    measured = _measured(trained)
    found = []
    for group, (title, items) in ATTRIBUTES.items():
        for item, name in items.items():
            key = group + item
            parts = [part for part in (stated.get(key, ""), measured.get(key, "")) if part]
            source = "stated" if stated.get(key) else "measured" if parts else NOT_STATED
            found.append(Attribute(key, title, name, " ".join(parts) or NOT_STATED, source))
    return found


def _measured(trained: Trained) -> dict[str, str]:
    table, model, roles = trained.table, trained.model, trained.table.roles
    named = f"{roles.outcome} is {roles.positive}" if roles.positive else roles.outcome
    found = {
        "(1)(iii)": f"A probability between 0 and 1 that {named}, with the columns that moved it most."
        if table.kind == EVENT
        else f"Quantiles {', '.join(f'{level:g}' for level in model.quantiles)} of {named}.",
        "(1)(iv)": "Prediction.",
        "(3)(ii)": "What the training told: " + "; ".join(trained.told) + ".",
        "(4)(i)": _criteria(trained),
        "(4)(ii)": _variables(trained),
        "(7)(i)": _validity(trained),
    }
    if roles.subgroups:
        found["(4)(iii)"] = _shares(trained)
    if trained.subgroups:
        found["(7)(ii)"] = _fairness(trained)
    return found


def _criteria(trained: Trained) -> str:
    table = trained.table
    rows = int((trained.split.block == TRAIN).sum())
    excluded = [f"{name} is {', '.join(values)}" for name, values in sorted(table.roles.excluded.items())]
    said = f"{len(table.frame)} rows with a known outcome, of which {rows} trained."
    return (
        f"{said} Excluded: {'; '.join(excluded)}." if excluded else f"{said} No further exclusion was given."
    )


def _variables(trained: Trained) -> str:
    used = [column.name for column in trained.model.columns]
    found = []
    for variable, words in VARIABLES.items():
        hits = [name for name in used if re.search(words, name.lower())]
        found.append(f"{variable}: {', '.join(hits) if hits else 'no column of such a name'}")
    return "Told by the names of columns alone. " + "; ".join(found) + "."


def _shares(trained: Trained) -> str:
    table, parts = trained.table, []
    train = trained.split.block == TRAIN
    for name in table.roles.subgroups:
        label, count = np.unique(groups(table, name, train, np.flatnonzero(train)), return_counts=True)
        shares = sorted(zip(count / count.sum(), label, strict=True), reverse=True)[:12]
        parts.append(f"{name}: " + ", ".join(f"{value} {share:.1%}" for share, value in shares))
    return "Share of training rows. " + "; ".join(parts) + "."


def _validity(trained: Trained) -> str:
    said = []
    for score in trained.scores:
        if score.model == OURS and score.value is not None:
            interval = f" ({score.low:.3f} to {score.high:.3f})" if score.low is not None else ""
            said.append(f"{score.metric} {score.value:.3f}{interval} [{score.split}]")
    return "; ".join(said) + "."


def _fairness(trained: Trained) -> str:
    if trained.table.kind != EVENT:
        return "Figures per subgroup stand in the table of subgroups."
    parts = []
    for name in dict.fromkeys(line["column"] for line in trained.subgroups):
        lines = [line for line in trained.subgroups if line["column"] == name]
        told = [line for line in lines if line["auroc"] is not None]
        few = len(lines) - len(told)
        text = f"{name}: "
        if told:
            for metric in ("auroc", "sensitivity", "flagged_rate"):
                values = [float(str(line[metric])) for line in told]
                text += f"{metric} {min(values):.3f} to {max(values):.3f}, "
        parts.append(text + f"{few} of {len(lines)} groups with too few events to judge")
    return "Range over groups of the test rows. " + "; ".join(parts) + "."


def as_markdown(trained: Trained, lines: list[Attribute], facts: dict[str, Any]) -> str:
    """Return the card as a person reads it: figures first, then the rule's attributes."""
    table = trained.table
    out = [f"# Model card: {facts['name']}", "", *(f"- {key}: {value}" for key, value in facts.items()), ""]
    out += ["## Figures on rows that nothing was learned from", "", "| split | model | figure | value | 95 % "
            "interval | rows | events |", "|---|---|---|---|---|---|---|"]  # fmt: skip
    for one in trained.scores:
        value = "–" if one.value is None else f"{one.value:.4f}"
        interval = one.reason if one.low is None else f"{one.low:.4f} to {one.high:.4f}"
        events = "" if one.events is None else one.events
        out.append(
            f"| {one.split} | {one.model} | {one.metric} | {value} | {interval} | {one.rows} | {events} |"
        )
    out += ["", f"Reliability diagram: {trained.refused or 'reliability.png'}.", ""]
    if table.kind == EVENT:
        limit = "none" if trained.model.threshold is None else f"{trained.model.threshold:.4f}"
        shown = ", ".join(f"{name} {'–' if value is None else f'{value:.4f}'}"
                          for name, value in trained.flagged.items())  # fmt: skip
        out += [f"Flagged from a probability of {limit} on, chosen on the calibration rows for a budget of "
                f"{trained.options.alert_budget:.0%}. On the test rows: {shown}.", ""]  # fmt: skip
    if trained.subgroups:
        names = list(trained.subgroups[0])
        out += ["## Subgroups of the test rows", "", f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
        for line in trained.subgroups:
            cells = ("–" if line[one] is None else f"{line[one]:.3f}" if isinstance(line[one], float)
                     else str(line[one]).replace("|", "/") for one in names)  # fmt: skip
            out.append(f"| {' | '.join(cells)} |")
        out.append("")
    out += [
        "## What moves scores most",
        "",
        *(f"- {name}: {size:.4f}" for name, size in trained.importance[:15]),
    ]
    out += ["", "## To know", "", *(f"- {line}" for line in trained.told), ""]
    out += ["## Source attributes", "", f'The list of {RULE}. What nobody has said is "{NOT_STATED}".', ""]
    group = ""
    for attribute in lines:
        if attribute.group != group:
            group = attribute.group
            out += [f"### {attribute.key.split(')(')[0].rstrip(')')}) {group}", ""]
        out += [f"**{attribute.key} {attribute.attribute}**", "", attribute.value, ""]
    return "\n".join(out) + "\n"
