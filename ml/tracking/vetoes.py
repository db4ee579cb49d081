"""A person's veto: which recipe must not become champion by itself, since when, and what ends it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..gate.promotion import PROMOTED, REFUSED, Verdict
from ..warehouse.settings import MODEL_NAME
from .changes import CHAMPION, GATE, Change, champions, history

# Settings as JSON, and the hash of the code: what a later training shares if it would do the same again.
Recipe = tuple[str, str]


def heeded(connection: Any, verdict: Verdict, settings: str, code_version: str) -> Verdict:
    """Return the verdict, refused in place of promoted where a person's veto stands against the recipe.

    Args:
        settings, code_version: of the challenger.
    """
    if verdict.answer != PROMOTED:
        return verdict
    veto = against(connection, settings, code_version)
    if veto is None:
        return verdict
    why = (
        f"vetoed: {told(veto)}. That stands until its settings or code change, or a person lets that "
        "version or a newer one of the recipe serve (`caregrid models rollback --to VERSION --why TEXT`): no "
        "training ends it, also where no champion is left that can forecast. "
        f"The gate alone would have said: {verdict.answer}: {verdict.reason}"
    )
    return replace(verdict, answer=REFUSED, reason=why)


def against(connection: Any, settings: str, code_version: str) -> Change | None:
    """Return the veto that stands against what these settings and this code make, or None."""
    return standing(history(connection), _recipes(connection), _recipe(settings, code_version))


def told(veto: Change) -> str:
    """Return who took which version off, when and why."""
    return (
        f"{veto.who} took version {veto.from_version}, of this very recipe and code, off on "
        f"{veto.changed_at:%Y-%m-%d} ({veto.why})"
    )


def standing(changes: Iterable[Change], recipes: dict[str, Recipe], recipe: Recipe) -> Change | None:
    """Return the veto that stands against a recipe, or None.

    A person who lets an earlier version serve in place of the champion vetoes the champion's recipe, also
    where the earlier one is of the same: what it learned since is not wanted. A person who lets a version of
    the recipe serve lifts the vetoes of that version and of older ones; an older one than was taken off says
    nothing of what came after it.

    Args:
        changes: every move of an alias, the oldest first; recipes: {version: what it was made by}.
    """
    moves = [one for one in changes if one.alias == CHAMPION]
    found: list[Change] = []
    for at, move in enumerate(moves):
        if move.who == GATE:
            continue
        if recipes.get(move.to_version) == recipe:
            found = [veto for veto in found if int(_taken(veto)) > int(move.to_version)]
        if move.from_version is not None and recipes.get(move.from_version) == recipe:
            found += [move] if _leads_back(moves[:at], move) else []
    return found[-1] if found else None


def _taken(veto: Change) -> str:
    """Return the version a veto took off; there is none without."""
    return str(veto.from_version)


def _leads_back(before: list[Change], move: Change) -> bool:
    """Whether the version that serves is older than the one taken off, or was champion before it."""
    taken = _taken(move)
    return int(move.to_version) < int(taken) or move.to_version in champions(before, taken)


def _recipes(connection: Any) -> dict[str, Recipe]:
    """Return {version: its recipe}, also of versions that were deleted in MLflow since."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            """select distinct on (model_version) model_version, parameters ->> 'settings', code_version
               from model_output.run where kind = 'train' and model_name = %s
               order by model_version, made_at desc, run_id""",
            (MODEL_NAME,),
        )
        return {row[0]: _recipe(row[1], row[2]) for row in cursor.fetchall()}


def _recipe(settings: str, code_version: str) -> Recipe:
    """Return what names a recipe; a commit that left the code as it is makes no other."""
    return settings, code_version.rpartition("+")[2]
