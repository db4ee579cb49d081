"""What is about patients is left out of a file, or the file refused, before its bytes are kept."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from caregrid.errors import CareGridError
from caregrid.feeds.model import Source
from caregrid.landing import disk, store
from caregrid.mapping import UnreadableFile, persons_in, sift


def is_rewritten(source: Source) -> bool:
    """Return whether other bytes are kept than were sent: messages are about patients, every one of them."""
    return source.format.type == "hl7"


def is_sifted(source: Source) -> bool:
    """Return whether a file is looked through before it is kept."""
    return is_rewritten(source) or source.format.type.startswith("fhir")


def sifted(source: Source, pieces: Iterable[bytes], limit: int | None = None) -> Iterable[bytes]:
    """Return the pieces of a file as they may be kept: unchanged, where the format is not a clinical one.

    Args:
        limit: the most bytes to take.

    Raises:
        CareGridError: while the pieces are taken, when the file is about patients, or is no HL7 or no FHIR
            that can be looked through, of which nobody knows what is in it. Such a file is not kept at all.
    """
    if is_rewritten(source):
        return _rewritten(source, pieces)
    return _screened(source, pieces, limit) if is_sifted(source) else pieces


def _rewritten(source: Source, pieces: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from sift(pieces, source.format)
    except UnreadableFile as problem:
        raise _refused(source, f"{problem.reason} ({problem.code})", "as the feed describes it") from problem


def _screened(source: Source, pieces: Iterable[bytes], limit: int | None) -> Iterator[bytes]:
    with tempfile.NamedTemporaryFile(dir=disk.incoming()) as copy:
        size, too_long = 0, False
        for piece in pieces:
            copy.write(piece)
            size += len(piece)
            if too_long := limit is not None and size > limit:
                break  # the store refuses it
        copy.flush()
        try:
            found = "" if too_long else persons_in(source, Path(copy.name))
        except UnreadableFile as problem:
            raise _refused(
                source,
                f"the file cannot be looked through: {problem.reason}",
                f"whole, as FHIR JSON in {source.format.encoding}, packed once at most, without a password",
            ) from problem
        if found:
            raise _refused(
                source,
                f"the file holds {found}",
                "without it: _type=Organization,Location,HealthcareService,…",
            )
        yield from store.chunks(Path(copy.name))


def _refused(source: Source, problem: str, how: str) -> CareGridError:
    return CareGridError(
        f"{problem}; the file is not kept, because it may be about patients",
        where=f"{source.feed}, source {source.name}",
        fix=f"ask the sender for the file {how}",
    )
