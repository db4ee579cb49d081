"""Makes names, addresses and numbers comparable: what differs only by spelling becomes equal."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_WORDS = {
    "&": "and",
    "st": "saint",
    "ste": "sainte",
    "mt": "mount",
    "ft": "fort",
    "hosp": "hospital",
    "ctr": "center",
    "centre": "center",
    "med": "medical",
    "univ": "university",
    "rehab": "rehabilitation",
    "mem": "memorial",
    "reg": "regional",
    "hlth": "health",
}
# In an address St is a street and no saint.
_STREET_WORDS = {
    **{"street": "st", "avenue": "ave", "av": "ave", "road": "rd", "drive": "dr", "boulevard": "blvd"},
    **{"lane": "ln", "parkway": "pkwy", "highway": "hwy", "place": "pl", "court": "ct", "circle": "cir"},
    **{"suite": "ste", "north": "n", "south": "s", "east": "e", "west": "w"},
    **{"northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw"},
    **{"first": "1st", "second": "2nd", "third": "3rd", "fourth": "4th", "fifth": "5th", "sixth": "6th"},
    **{"seventh": "7th", "eighth": "8th", "ninth": "9th", "tenth": "10th", "one": "1"},
}
# Some registries give these a country code of their own, others call them regions of the United States.
_TERRITORIES = {"AS", "GU", "MP", "PR", "VI"}
_SILENT = {"the", "inc", "llc", "ltd", "corp", "co", "lp"}
_TOKEN = re.compile(r"&|\w+")
_APOSTROPHE = re.compile(r"[’'`.]")


# Names and regions are compared under several rules.
@lru_cache(maxsize=1 << 16)
def comparable(text: str | None) -> str:
    """Return a text without case, accents, punctuation, width and legal forms; '' for none."""
    words = (_WORDS.get(word, word) for word in _words(text))
    return " ".join(word for word in words if word not in _SILENT)


@lru_cache(maxsize=1 << 16)
def street(text: str | None) -> str:
    """Return an address as `comparable` does a name, kinds of street and directions by their short forms."""
    return " ".join(_STREET_WORDS.get(word, word) for word in _words(text))


def _words(text: str | None) -> list[str]:
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text or "")).casefold()
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return _TOKEN.findall(_APOSTROPHE.sub("", plain))


def nation(country: str | None, region: str | None) -> str:
    """Return the country: US for its territories, though some write them as countries of their own."""
    return "US" if country in _TERRITORIES and region in (None, country) else country or ""


def telephone(text: str | None) -> str:
    """Return the digits of a number, the last ten at most: the country's code aside; '' if too few."""
    digits = re.sub(r"\D", "", unicodedata.normalize("NFKC", text or ""))
    return digits[-10:] if len(digits) > 6 else ""


def postal(text: str | None, country: str | None) -> str:
    """Return a postal code without spaces and case; of an American one the five digits."""
    plain = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", text or "")).upper()
    if country != "US":
        return plain
    digits = plain[:9]
    # A ZIP kept as a number has lost its leading zeros.
    return digits.rjust(5, "0")[:5] if digits.isdigit() and len(digits) <= 5 else digits[:5]
