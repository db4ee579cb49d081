"""The one error that a person using CareGrid is meant to read."""

from __future__ import annotations


class CareGridError(Exception):
    """What is wrong, where, and what to do about it.

    Args:
        message: what is wrong, in a sentence.
        where: the file, line and field, or the table and row.
        fix: what the reader can do.
    """

    def __init__(self, message: str, *, where: str = "", fix: str = "") -> None:
        self.message = message
        self.where = where
        self.fix = fix
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}\n  fix: {self.fix}" if self.fix else text
