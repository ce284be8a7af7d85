"""The roles' declaration: the page made from it, the file of managers, and what doctor says."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from schemas.records import fields
from sinks.clickhouse.personal import IDENTIFIER, NAME, PLAIN, TEXT, rule_of
from sinks.clickhouse.roles import ROLES, Database, Manager, RolesError, load_managers, make_roles, table, veil_table
from sinks.clickhouse.veil import veiled
from streams.doctor.clickhouse import roles
from streams.embedded.keys import managers_of, tokens_of
from streams.errors import RihlaError

PAGE = Path(__file__).parents[2] / "docs/security.md"


@pytest.mark.parametrize(("mark", "printed"), [("roles", table()), ("veiled", veil_table())])
def test_the_page_lists_what_is_declared(mark: str, printed: str) -> None:
    """`python -m sinks.clickhouse.roles` prints both."""
    found = re.search(rf"<!-- {mark} -->\n(.*?)\n<!-- end {mark} -->", PAGE.read_text("utf-8"), re.DOTALL)
    assert found is not None
    assert found[1] == printed


@pytest.mark.parametrize(("text", "said"), [
    ("", "one table"), ("[managers]\nb = 1\n", "units of b"), ('[managers]\n"b-c" = ["U"]\n', "'b-c' is no name"),
    ("[managers]\nb = []\n", "units of b"), ("[managers", "no TOML"), ('[managers]\nb = ["U"]\n[x]\n', "one table"),
])  # fmt: skip
def test_a_file_of_managers_that_cannot_be_used_says_why(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "managers.toml").write_text(text)
    with pytest.raises(RolesError, match=said):
        load_managers(tmp_path / "managers.toml")
    with pytest.raises(RolesError, match="cannot be read"):
        load_managers(tmp_path / "none")


def test_managers_of_a_folder_have_a_token_each(tmp_path: Path) -> None:
    assert managers_of(tmp_path) == ()
    (tmp_path / "managers.toml").write_text('[managers]\nmakkah = ["MAKKAH-01"]\n')
    (tmp_path / "managers.toml").chmod(0o600)
    assert managers_of(tmp_path) == (Manager("makkah", ("MAKKAH-01",)),)
    tokens = tokens_of(tmp_path, managers_of(tmp_path))
    role = tokens.role("manager_makkah", (tmp_path / "manager_makkah").read_text().strip())
    assert role is not None
    assert role.grants == ("SELECT ON cx_manager_makkah.*",)
    (tmp_path / "managers.toml").chmod(0o666)
    with pytest.raises(RihlaError, match="others can change"):
        managers_of(tmp_path)


def test_every_field_of_an_interaction_has_its_class() -> None:
    """The same as of all views of a database (test_clickhouse_roles), where it costs no database."""
    assert [field for field in fields("interaction") if rule_of("interactions", field) is None] == []


def test_types_that_cannot_be_veiled_are_refused() -> None:
    assert veiled("v.a", "Int64", PLAIN) == "v.a"
    assert veiled("v.a", "Map(String, String)", TEXT) == "defaultValueOfTypeName('Map(String, String)')"
    for type_ in ("Int64", "Map(String, String)", "Tuple(a String)"):
        with pytest.raises(ValueError, match=r"no pseudonym|no rule"):
            veiled("v.a", type_, IDENTIFIER)
    with pytest.raises(ValueError, match="has no field b"):
        veiled("v.a", "Tuple(a String)", {"b": NAME})


def test_a_manager_who_is_no_longer_in_the_file_loses_the_role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sinks.clickhouse.roles.make_views", lambda *_: None)
    ran: list[str] = []
    server = Database(lambda sql: [("cx_manager_old",), ("cx_manager_a",), ("other",)], ran.append, lambda *_: None)
    mine = [f"cx_{role}" for role in ROLES]
    assert make_roles(server, "cx", [Manager("a", ("U",))]) == [*mine, "cx_manager_a"]
    assert "DROP ROLE IF EXISTS cx_manager_old " in ran
    assert "DROP DATABASE IF EXISTS cx_manager_old " in ran
    assert sum(one.startswith("DROP") for one in ran) == 2
    ran.clear()
    assert make_roles(server, "cx") == mine
    assert not any(one.startswith("DROP") for one in ran)


@pytest.mark.parametrize(("enabled", "there", "verdict", "said"), [
    (["cx_pipeline"], None, "ok", "has the role cx_pipeline"),
    ([], None, "problem", "no owner"),
    ([], ["cx_analyst"], "note", "missing: cx_engineer, cx_operations, cx_pipeline"),
    ([], [f"cx_{role}" for role in ROLES], "ok", "all are there"),
    (["owner"], [], None, ""),
])  # fmt: skip
def test_doctor_says_whether_roles_are_missing(
    enabled: list[str], there: list[str] | None, verdict: str | None, said: str
) -> None:
    def ask(sql: str) -> Any:
        if "system.roles" in sql and there is None:
            raise DatabaseError("Code: 497. DB::Exception: (ACCESS_DENIED)")
        names = (there or []) if "system.roles" in sql else enabled
        return SimpleNamespace(result_rows=[(name,) for name in names])

    found = list(roles("cx", ask))
    assert [finding.verdict for finding in found] == ([verdict] if verdict else [])
    assert all(said in finding.detail for finding in found)
