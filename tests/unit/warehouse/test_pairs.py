"""Which places are one facility: by identifier, then by name, region and postal code; what leaves a
choice is listed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from caregrid.warehouse.names import comparable, nation, postal, street, telephone
from caregrid.warehouse.pairs import Place, Verdict, find_pairs
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit


def american(place_id: int, system: str, name: str, postal_code: str = "36301", **more: object) -> Place:
    place = Place(place_id, system, f"c{place_id}", name, "US", "AL", postal_code, f"{place_id} Main St")
    return replace(place, **more)  # type: ignore[arg-type]


def year(number: int) -> datetime:
    return datetime(number, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SOUTHEAST HEALTH MEDICAL CENTER", "Southeast Health Med. Ctr"),
        ("St. Mary's Hospital, Inc.", "SAINT MARYS HOSPITAL"),
        ("Hôpital Général de Montréal", "HOPITAL GENERAL DE MONTREAL"),
        ("Mercy & Grace", "The Mercy and Grace"),
        ("國立臺灣大學醫學院附設醫院", "國立臺灣大學醫學院附設醫院 "),
        ("ＡＢＣ　Hospital", "ABC Hospital"),
    ],
)
def test_spelling_is_no_difference(one: str, other: str) -> None:
    assert comparable(one) == comparable(other) != ""


def test_other_names_stay_other() -> None:
    assert comparable("Mercy Hospital North") != comparable("Mercy Hospital South")
    assert comparable(None) == comparable(" . ") == ""


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("36301-1234", "US", "36301"),
        ("1040", "US", "01040"),
        ("H2X 1R9", "CA", "H2X1R9"),
        (None, "US", ""),
    ],
)  # fmt: skip
def test_postal_codes(text: str | None, country: str, expected: str) -> None:
    assert postal(text, country) == expected


def test_identifier_matches_before_names() -> None:
    places = [
        american(1, "cms", "Mercy"),
        american(2, "hifld", "Grace", "99999", identifiers=frozenset({("cms", "c1")})),
        american(3, "hifld", "Mercy"),
    ]
    assert find_pairs(places) == {(1, 2): Verdict("identifier", 1.0, "matched")}


def test_name_region_and_postal_code_match() -> None:
    places = [american(1, "cms", "Mercy Hospital"), american(2, "hifld", "MERCY HOSPITAL", "36301-0001")]
    assert find_pairs(places) == {(1, 2): Verdict("name_region_postal_code", 0.95, "matched")}


def test_a_choice_is_listed_not_merged() -> None:
    places = [american(1, "cms", "Mercy"), american(2, "hifld", "Mercy"), american(3, "hifld", "Mercy")]
    found = find_pairs(places)
    assert set(found) == {(1, 2), (1, 3)}
    assert {verdict.status for verdict in found.values()} == {"ambiguous"}


def test_same_address_alone_is_a_hint() -> None:
    places = [
        american(1, "cms", "Mercy", address="5 Main Street"),
        american(2, "hifld", "Grace", address="5 MAIN STREET"),
    ]
    assert find_pairs(places) == {(1, 2): Verdict("address_region_postal_code", 0.7, "ambiguous")}


def test_other_state_or_postal_code_is_no_match() -> None:
    places = [
        american(1, "cms", "Mercy"),
        american(2, "hifld", "Mercy", "36302"),
        american(3, "ods", "Mercy", region="TX"),
    ]
    assert find_pairs(places) == {(1, 2): Verdict("name_region", 0.5, "ambiguous")}


def permit(place_id: int, first: int, last: int, versions: set[int] | None = None, **more: Any) -> Place:
    return Place(
        place_id,
        "qc_permit",
        f"c{place_id}",
        "Hôpital Notre-Dame",
        "CA",
        "Montréal",
        span=(year(first), year(last)),
        versions=frozenset(versions or ()),
        **more,
    )


def test_renumbered_permit_is_one_facility() -> None:
    found = find_pairs([permit(1, 2019, 2021), permit(2, 2022, 2023)])
    assert found == {(1, 2): Verdict("renumbered", 0.9, "matched")}


def test_two_permits_at_the_same_time_are_not() -> None:
    assert find_pairs([permit(1, 2019, 2022), permit(2, 2021, 2023)])[1, 2].status == "ambiguous"


def test_renumbered_between_two_versions_of_the_registry() -> None:
    found = find_pairs([permit(1, 2019, 2021, {7}), permit(2, 2022, 2023, {8, 9})])
    assert found == {(1, 2): Verdict("renumbered", 0.9, "matched")}


def test_two_that_one_version_lists_are_two() -> None:
    """Two hospitals of one name in one state, each reported once, on different days: HIFLD has nine such."""
    orlando = permit(1, 2019, 2019, {7}, postal_code="32806")
    lake_mary = permit(2, 2020, 2020, {7}, postal_code="32746")
    assert find_pairs([orlando, lake_mary]) == {}
    twice = replace(lake_mary, postal_code="32806")
    assert find_pairs([orlando, twice])[1, 2].status == "ambiguous"


def test_a_name_that_moved_is_for_a_person() -> None:
    found = find_pairs(
        [permit(1, 2019, 2021, {7}, postal_code="H1A"), permit(2, 2022, 2023, {8}, postal_code="H2B")]
    )
    assert found[1, 2].status == "ambiguous"


def test_one_pair_that_overlaps_leaves_all_of_the_name_to_a_person() -> None:
    found = find_pairs([permit(1, 2018, 2019), permit(2, 2020, 2021), permit(3, 2020, 2023)])
    assert {verdict.status for verdict in found.values()} == {"ambiguous"}


some_places = st.lists(
    st.builds(
        Place,
        place_id=st.integers(1, 10_000),
        id_system=st.sampled_from(["cms", "hifld", "ods"]),
        code=st.sampled_from(["1", "2", "3"]),
        name=st.sampled_from(["Mercy", "MERCY", "Grace", None]),
        country=st.just("US"),
        region=st.sampled_from(["AL", "TX"]),
        postal_code=st.sampled_from(["36301", "36302", ""]),
        address=st.sampled_from(["1 Main St", "2 Main St", ""]),
        identifiers=st.frozensets(st.tuples(st.just("npi"), st.sampled_from(["7", "8", "9"])), max_size=1),
        span=st.sampled_from([None, (year(2019), year(2020)), (year(2021), year(2022))]),
        versions=st.frozensets(st.integers(1, 2), max_size=1),
    ),
    unique_by=lambda place: place.place_id,
    max_size=12,
)


@given(places=some_places, data=st.data())
def test_order_decides_nothing(places: list[Place], data: st.DataObject) -> None:
    assert find_pairs(data.draw(st.permutations(places))) == find_pairs(places)


@given(places=some_places)
def test_pairs_are_ordered_and_of_known_places(places: list[Place]) -> None:
    known = {place.place_id for place in places}
    for (one, other), verdict in find_pairs(places).items():
        assert one < other
        assert {one, other} <= known
        assert verdict.status in ("matched", "ambiguous")
        assert 0 < verdict.score <= 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("400 North Pleasant Avenue", "400 N PLEASANT AVE"),
        ("229 SOUTH SEVENTH STREET", "229 S. 7th St"),
        ("575 Rivergate Ln, Unit 100", "575 RIVERGATE LANE UNIT 100"),
    ],
)
def test_short_forms_of_streets_are_no_difference(one: str, other: str) -> None:
    assert street(one) == street(other) != ""


def test_other_streets_stay_other() -> None:
    assert street("1 N Main St") != street("1 S Main St")
    assert street("1 Saint James St") != street("1 Street James St")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(618) 436-8000", "6184368000"),
        ("+1 618 436 8000", "6184368000"),
        ("n/a", ""),
        (None, ""),
        ("911", ""),
    ],
)
def test_telephone_numbers(text: str | None, expected: str) -> None:
    assert telephone(text) == expected


def test_a_territory_is_one_country_however_it_is_written() -> None:
    assert nation("PR", "PR") == nation("PR", None) == nation("US", "PR") == "US"
    assert nation("CA", "QC") == "CA"
    found = find_pairs(
        [
            american(1, "cms", "Hospital General", "00725", region="PR"),
            american(2, "hifld", "HOSPITAL GENERAL", "725", region="PR", country="PR"),
        ]
    )
    assert found[1, 2] == Verdict("name_region_postal_code", 0.95, "matched")


def test_a_telephone_number_is_a_question_for_a_person() -> None:
    one = american(1, "cms", "Bell Hospital", phone="(906) 486-4431")
    other = american(2, "hifld", "UP Health", "49849", phone="906-486-4431")
    assert find_pairs([one, other]) == {(1, 2): Verdict("telephone_region", 0.6, "ambiguous")}
    assert find_pairs([one, replace(other, region="GA")]) == {}


def test_a_name_is_a_question_where_each_registry_has_it_once() -> None:
    one, other = american(1, "cms", "Mercy"), american(2, "hifld", "Mercy", "49849")
    assert find_pairs([one, other]) == {(1, 2): Verdict("name_region", 0.5, "ambiguous")}
    assert find_pairs([one, other, american(3, "hifld", "Mercy", "49850")]) == {}
