"""Makes names, postal codes and regions comparable: what differs only by spelling becomes equal."""

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
_SILENT = {"the", "inc", "llc", "ltd", "corp", "co", "lp"}
_TOKEN = re.compile(r"&|\w+")
_APOSTROPHE = re.compile(r"[’'`.]")


# Names and regions are compared under several rules.
@lru_cache(maxsize=1 << 16)
def comparable(text: str | None) -> str:
    """Return a text without case, accents, punctuation, width and legal forms; '' for none."""
    if not text:
        return ""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text)).casefold()
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    words = (_WORDS.get(word, word) for word in _TOKEN.findall(_APOSTROPHE.sub("", plain)))
    return " ".join(word for word in words if word not in _SILENT)


def postal(text: str | None, country: str | None) -> str:
    """Return a postal code without spaces and case; of an American one the five digits."""
    plain = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", text or "")).upper()
    if country != "US":
        return plain
    digits = plain[:9]
    # A ZIP kept as a number has lost its leading zeros.
    return digits.rjust(5, "0")[:5] if digits.isdigit() and len(digits) <= 5 else digits[:5]
