"""What the task that this process runs has read and written: gathered while it works, told when it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from caregrid.lineage.events import Dataset


@dataclass
class Work:
    """Datasets and facets of the run so far."""

    inputs: list[Dataset] = field(default_factory=list)
    outputs: list[Dataset] = field(default_factory=list)
    facets: dict[str, Any] = field(default_factory=dict)


_work = Work()


def note(*, inputs: list[Dataset] | None = None, outputs: list[Dataset] | None = None, **facets: Any) -> None:
    """Add what the task has read or written, or facets of its run."""
    _work.inputs += [one for one in inputs or [] if one not in _work.inputs]
    _work.outputs += [one for one in outputs or [] if one not in _work.outputs]
    _work.facets.update(facets)


def take() -> Work:
    """Return what was noted, and begin anew."""
    global _work
    done, _work = _work, Work()
    return done
