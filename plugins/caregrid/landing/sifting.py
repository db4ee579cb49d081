"""What is about patients is left out of a file before its bytes are kept: landing never holds it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from caregrid.errors import CareGridError
from caregrid.feeds.model import Source
from caregrid.mapping import UnreadableFile, sift


def holds_patients(source: Source) -> bool:
    """Return whether files of this source are about patients, message by message."""
    return source.format.type == "hl7"


def sifted(source: Source, pieces: Iterable[bytes]) -> Iterable[bytes]:
    """Return the pieces of a file as they may be kept: unchanged, where the source is not about patients.

    Raises:
        CareGridError: while the pieces are taken, when the file is not what its feed says. Such a file is not
            kept at all, because nobody knows what is in it.
    """
    return _sifted(source, pieces) if holds_patients(source) else pieces


def _sifted(source: Source, pieces: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from sift(pieces, source.format)
    except UnreadableFile as problem:
        raise CareGridError(
            f"{problem.reason} ({problem.code}); the file is not kept, because it may be about patients",
            where=f"{source.feed}, source {source.name}",
            fix="ask the sender for the file as the feed describes it",
        ) from problem
