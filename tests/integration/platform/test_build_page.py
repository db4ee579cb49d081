"""The page of the newest build, as it lies on the documentation site."""

from __future__ import annotations

from typing import Any

import pytest
from caregrid.platform.documents import write_build_page

pytestmark = pytest.mark.integration

_BUILD = """
insert into ledger.build
    (kind, status, models_built, tests_passed, tests_warned, tests_failed, reason, finished_at)
values ('warehouse', %s, 86, 74, 0, 0, %s, clock_timestamp())
"""


def test_page_tells_of_the_newest_build_that_has_ended(warehouse: Any) -> None:
    assert "No build has ended yet" in write_build_page().read_text(encoding="utf-8")
    with warehouse.connect("owner") as owner:
        owner.execute(_BUILD.encode(), ["failed", "the marts gate refused <it>"])
        owner.execute("insert into ledger.build (kind, status) values ('warehouse', 'running')")
    page = write_build_page().read_text(encoding="utf-8")
    assert "warehouse: failed" in page
    assert "74 passed" in page
    assert "refused &lt;it&gt;" in page
    assert "None" not in page
