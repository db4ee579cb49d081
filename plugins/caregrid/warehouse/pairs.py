"""Decides which places are one facility, by rules alone: the same places give the same pairs in any order.

A rule that leaves a choice decides nothing: its pairs are listed as ambiguous, for a person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from caregrid.warehouse.names import comparable, nation, postal, street, telephone


@dataclass(frozen=True)
class Place:
    """What is known of a facility in one registry.

    `span`: first and last period of its usage, where it has any. `versions`: the landed files describing it.
    """

    place_id: int
    id_system: str
    code: str
    name: str | None = None
    country: str | None = None
    region: str | None = None
    postal_code: str | None = None
    address: str | None = None
    phone: str | None = None
    identifiers: frozenset[tuple[str, str]] = frozenset()
    span: tuple[datetime, datetime] | None = None
    versions: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Verdict:
    """How a pair was found, how sure that is (0 to 1), and whether it is matched or ambiguous."""

    method: str
    score: float
    status: str


Pair = tuple[int, int]


def find_pairs(places: Iterable[Place]) -> dict[Pair, Verdict]:
    """Return the pairs (smaller place_id first) with their verdicts."""
    known = sorted(places, key=lambda place: place.place_id)
    found = _Found({place.place_id: place for place in known})
    found.rule(_by_identifier(known), "identifier", 1.0, also_within=True)
    found.rule(_by_name_and_postal_code(known), "name_region_postal_code", 0.95)
    found.renumbered(_by_name_and_region(known))
    found.hint(_by_address(known), "address_region_postal_code", 0.7)
    found.hint(_by_telephone(known), "telephone_region", 0.6)
    found.hint(_unique(_by_name_and_region(known)), "name_region", 0.5)
    return found.verdicts()


class _Found:
    """Gathers pairs rule by rule; what an earlier rule has settled a later one does not reopen."""

    def __init__(self, places: Mapping[int, Place]) -> None:
        self._places = places
        self._matched: dict[Pair, Verdict] = {}
        self._ambiguous: dict[Pair, Verdict] = {}
        # (place, registry) → the rule that matched it to a place of that registry
        self._settled: dict[tuple[int, str], str] = {}

    def rule(
        self, groups: Iterable[list[Place]], method: str, score: float, *, also_within: bool = False
    ) -> None:
        """Match the places of each group, one per registry; several of one registry are ambiguous."""
        new: list[Pair] = []
        for group in groups:
            systems = [place.id_system for place in group]
            for one, other in combinations(group, 2):
                if one.id_system == other.id_system and not also_within:
                    continue
                if self._is_settled(one, other):
                    continue
                unique = also_within or (
                    systems.count(one.id_system) == 1 and systems.count(other.id_system) == 1
                )
                if unique:
                    new.append(_pair(one, other))
                else:
                    self._ambiguous[_pair(one, other)] = Verdict(method, score / 2, "ambiguous")
        for pair in new:
            self._match(pair, Verdict(method, score, "matched"))

    def renumbered(self, groups: Iterable[list[Place]]) -> None:
        """Match places of one registry with one name and region that follow each other.

        Places that one version lists side by side at two postal codes are two: not even a person is asked.
        """
        for group in groups:
            by_system: dict[str, list[Place]] = defaultdict(list)
            for place in group:
                if place.span is not None:
                    by_system[place.id_system].append(place)
            for same in by_system.values():
                ordered = sorted(same, key=lambda place: (place.span, place.code))
                follow = all(_follows(*pair) for pair in combinations(ordered, 2))
                for one, other in combinations(ordered, 2):
                    if follow:
                        self._match(_pair(one, other), Verdict("renumbered", 0.9, "matched"))
                    elif not one.versions & other.versions or _share_postal_code(one, other):
                        self._ambiguous[_pair(one, other)] = Verdict("renumbered", 0.45, "ambiguous")

    def hint(self, groups: Iterable[list[Place]], method: str, score: float) -> None:
        """List places of different registries that share something and are not settled."""
        for group in groups:
            for one, other in combinations(group, 2):
                if one.id_system != other.id_system and not self._is_settled(one, other):
                    self._ambiguous.setdefault(_pair(one, other), Verdict(method, score, "ambiguous"))

    def verdicts(self) -> dict[Pair, Verdict]:
        """Return all pairs; an ambiguous one is left out once either side is settled with the other's
        registry.
        """
        open_pairs = {
            pair: verdict
            for pair, verdict in self._ambiguous.items()
            if pair not in self._matched
            and not self._is_settled(*(self._places[place_id] for place_id in pair))
        }
        return self._matched | open_pairs

    def _is_settled(self, one: Place, other: Place) -> bool:
        if one.id_system == other.id_system:
            return False
        return (one.place_id, other.id_system) in self._settled or (
            other.place_id,
            one.id_system,
        ) in self._settled

    def _match(self, pair: Pair, verdict: Verdict) -> None:
        if pair in self._matched:
            return
        self._matched[pair] = verdict
        one, other = (self._places[place_id] for place_id in pair)
        if one.id_system != other.id_system:
            self._settled[one.place_id, other.id_system] = verdict.method
            self._settled[other.place_id, one.id_system] = verdict.method


def _pair(one: Place, other: Place) -> Pair:
    return min(one.place_id, other.place_id), max(one.place_id, other.place_id)


def _follows(earlier: Place, later: Place) -> bool:
    """Whether one falls silent before the other speaks, no version of the registry lists both (it would know
    two from one), and neither moved.
    """
    if earlier.span is None or later.span is None or earlier.versions & later.versions:
        return False
    codes = {_postal(place) for place in (earlier, later)} - {""}
    return earlier.span[1] < later.span[0] and len(codes) < 2


def _share_postal_code(one: Place, other: Place) -> bool:
    return bool(_postal(one)) and _postal(one) == _postal(other)


def _postal(place: Place) -> str:
    return postal(place.postal_code, nation(place.country, place.region))


def _groups(keyed: Iterable[tuple[tuple[str, ...], Place]]) -> list[list[Place]]:
    """Return the places by key, keys in order; keys with an empty part and groups of one are left out."""
    groups: dict[tuple[str, ...], dict[int, Place]] = defaultdict(dict)
    for key, place in keyed:
        if all(key):
            groups[key][place.place_id] = place
    return [list(group.values()) for _, group in sorted(groups.items()) if len(group) > 1]


def _by_identifier(places: list[Place]) -> list[list[Place]]:
    return _groups(
        (identifier, place)
        for place in places
        for identifier in sorted(place.identifiers | {(place.id_system, place.code)})
    )


def _by_name_and_postal_code(places: list[Place]) -> list[list[Place]]:
    return _groups(
        (
            (
                nation(place.country, place.region),
                comparable(place.region),
                _postal(place),
                comparable(place.name),
            ),
            place,
        )
        for place in places
    )


def _by_name_and_region(places: list[Place]) -> list[list[Place]]:
    return _groups(
        ((nation(place.country, place.region), comparable(place.region), comparable(place.name)), place)
        for place in places
    )


def _by_telephone(places: list[Place]) -> list[list[Place]]:
    return _groups(
        ((nation(place.country, place.region), comparable(place.region), telephone(place.phone)), place)
        for place in places
    )


def _unique(groups: Iterable[list[Place]]) -> list[list[Place]]:
    """Return the groups in which no registry stands twice: a common name says nothing."""
    return [group for group in groups if len({place.id_system for place in group}) == len(group)]


def _by_address(places: list[Place]) -> list[list[Place]]:
    return _groups(
        (
            (
                nation(place.country, place.region),
                comparable(place.region),
                _postal(place),
                street(place.address),
            ),
            place,
        )
        for place in places
    )
