"""`caregrid feeds new` on XML whose places stand in elements around the records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from caregrid.drafts import draft
from caregrid.feeds import Feed, parse_feed

pytestmark = pytest.mark.unit

STATES = "".join(
    f"<{{tag}} day='2024-03-{day:02}'><occupied>{day}</occupied></{{tag}}>" for day in range(1, 15)
)


def drafted(tmp_path: Path, text: str) -> tuple[dict[str, str], dict[str, Any], Feed, str]:
    """Return the fields, the place, the feed and the text of the draft of a document."""
    sample = tmp_path / "beds.xml"
    sample.write_text(text, encoding="utf-8")
    made = draft(sample)
    feed = parse_feed(Path("beds.yml"), made.text)
    assert made.mapped["figures"] == 28
    assert made.rejected["figures"] == 0
    form = feed.sources["sample"].format
    return {field.name: field.at for field in form.fields}, feed.outputs[0].spec["place"], feed, made.text


def hospitals(before: str, behind: str = "", head: str = "", tag: str = "state") -> str:
    """Return a document of two hospitals; {n} is the number of the hospital."""
    states = STATES.format(tag=tag)
    inner = "".join(
        f"<hospital id='A{n}'>{before.format(n=n)}{states}{behind.format(n=n)}</hospital>" for n in (1, 2)
    )
    return f"<report>{head}{inner}</report>"


def test_a_name_beside_the_id_of_the_element_around_is_the_places_name(tmp_path: Path) -> None:
    fields, place, _, text = drafted(tmp_path, hospitals("<name>House {n}</name>"))
    assert fields["hospital.id"] == "../@id"
    assert fields["hospital.name"] == "../name"
    assert (place["level"], place["code"], place["name"]) == ("facility", "hospital.id", "hospital.name")
    assert "the only name or code there is" not in text


def test_what_stands_deeper_and_further_out_is_found_too(tmp_path: Path) -> None:
    text = hospitals("<site><label>House {n}</label></site>", head="<sender><code>N1</code></sender>")
    fields, place, _, _ = drafted(tmp_path, text)
    assert fields["site.label"] == "../site/label"
    assert fields["sender.code"] == "../../sender/code"
    assert place["code"] == "hospital.id"


def test_what_stands_behind_the_records_is_no_field_of_them(tmp_path: Path) -> None:
    fields, place, _, _ = drafted(tmp_path, hospitals("", behind="<name>House {n}</name>"))
    assert "../name" not in fields.values()
    assert place["code"] == "hospital.id"


def test_what_stands_several_times_around_is_no_field(tmp_path: Path) -> None:
    fields, _, _, _ = drafted(tmp_path, hospitals("<name>House {n}</name><name>Home {n}</name>"))
    assert "../name" not in fields.values()


def test_two_bare_names_are_both_told(tmp_path: Path) -> None:
    text = hospitals("<name>House {n}</name>").replace("hospital", "part")
    fields, place, _, asked = drafted(tmp_path, text)
    assert (fields["id"], fields["name"]) == ("../@id", "../name")
    assert (place["code"], place["name"]) == ("id", "name")
    assert "'id' was taken for the place; 'name' might be it as well" in asked
