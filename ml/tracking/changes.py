"""Moves of the model's aliases as the warehouse keeps them, and what they say of who served."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..warehouse.settings import MODEL_NAME

CHAMPION = "champion"
GATE = "promotion gate"  # who moves the aliases after a training
COLUMNS = ("change_id", "changed_at", "alias", "from_version", "to_version", "who", "why", "gate", "run_id")


@dataclass(frozen=True)
class Change:
    """One move of an alias, as model_output.alias_change keeps it."""

    change_id: int
    changed_at: datetime
    alias: str
    from_version: str | None
    to_version: str
    who: str
    why: str
    gate: list[dict[str, Any]] | None
    run_id: str | None


def history(connection: Any) -> list[Change]:
    """Return every move of an alias that was told, the oldest first."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            f"select {', '.join(COLUMNS)} from model_output.alias_change"  # noqa: S608
            " where model_name = %s order by change_id",
            (MODEL_NAME,),
        )
        return [Change(*row) for row in cursor.fetchall()]


def tenure(connection: Any) -> int:
    """Return the number of the champion's newest move, 0 before the first.

    A version that serves again must say what it says anew: what it said before it was replaced is older than
    the forecasts of the one it replaces.
    """
    moves = [one.change_id for one in history(connection) if one.alias == CHAMPION]
    return moves[-1] if moves else 0


def champions(changes: list[Change], current: str | None) -> list[str]:
    """Return the champions that a rollback could restore in their order, the current one last.

    A move back to an earlier one takes off those above it, so that a rollback is never undone by the next.
    A row whose move was never carried out goes by what the next row, and MLflow, say the alias named.
    """
    stack: list[str] = []
    for version in [step for one in changes for step in (one.from_version, one.to_version)] + [current]:
        if version in stack:
            del stack[stack.index(version) + 1 :]
        elif version is not None:
            stack.append(version)
    return stack
