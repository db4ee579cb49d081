"""What the words of a heading mean: place, period, measure; from words.yml, in several languages."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Any

from caregrid.feeds.document import read_document

_PLAIN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "o", "ł": "l", "ı": "i"})
_LONG = 5
_WITHOUT_SPACES = re.compile(r"[\u3040-\u9fff]")  # Chinese and Japanese words follow each other unparted


@lru_cache(maxsize=1)
def vocabulary() -> dict[str, Any]:
    """Return words.yml."""
    return read_document(Path(__file__).with_name("words.yml").read_text(encoding="utf-8")).data


@lru_cache(maxsize=4096)
def words_of(heading: str) -> tuple[str, ...]:
    """Return the words of a heading: camelCase and signs cut, without accents, in lower case."""
    text = re.sub(
        r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", unicodedata.normalize("NFKC", heading)
    )
    text = unicodedata.normalize("NFKD", text.lower().translate(_PLAIN))
    text = "".join(mark for mark in text if not unicodedata.combining(mark))
    return tuple(re.findall(r"[^\W_]+", text))


def weight(heading: str, phrases: list[Any]) -> int:
    """Return how many letters of the longest phrase stand in the heading, 0 when none does."""
    words = words_of(heading)
    joined, whole = " ".join(words), unicodedata.normalize("NFKC", heading)
    best = 0
    for phrase in map(str, phrases):
        own = words_of(phrase)
        length = sum(map(len, own))
        if length <= best:
            continue
        in_a_row = any(words[at : at + len(own)] == own for at in range(len(words) - len(own) + 1))
        within = len(own) == 1 and length >= _LONG and own[0] in joined
        if in_a_row or within or (_WITHOUT_SPACES.search(phrase) and phrase in whole):
            best = length
    return best


def means(heading: str, kind: str) -> int:
    """Return the weight of a heading under one flat list of words: code, name, period, patient …"""
    return weight(heading, vocabulary()[kind])


def is_rate(heading: str) -> bool:
    """Say whether a heading tells what is counted within a unit of time: visits per week, 每月."""
    return bool(means(heading, "period") and means(heading, "rate"))


def best_of(heading: str, kind: str) -> tuple[str | None, int]:
    """Return the meaning among several (a level of place, a measure) that fits best, and its weight."""
    found, most = None, 0
    for meaning, phrases in vocabulary()[kind].items():
        here = weight(heading, phrases)
        if here > most:
            found, most = meaning, here
    return found, most


def country_of(headings: list[str]) -> str | None:
    """Return the country whose language at least two headings are written in, None when none is."""
    scores = {
        country: sum(bool(weight(heading, phrases)) for heading in headings)
        for country, phrases in vocabulary()["languages"].items()
    }
    country = max(scores, key=lambda name: scores[name])
    return country if scores[country] >= 2 else None
