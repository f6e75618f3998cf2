"""What leaves for a language model in each mode, byte by byte, over every mind that there is."""

import datetime
import json
from collections.abc import Iterator
from typing import Any

import pytest

from agents.llm.egress import SAMPLE_ROWS, Egress, Shown, aliases_of, shown
from agents.llm.endpoint import Endpoint
from agents.llm.personal import in_name, masked, told_by_name
from agents.llm.spending import Call, Spending
from agents.minds.asking import Asker
from agents.models import Models
from tests.minds_scene import MINDS, SECRET, Scene, scene
from tests.openai_server import ModelServer, answers, serving
from tools.schema import Schema, SchemaColumn

ROWS = [{"name": f"{SECRET}{n}", "age": 20 + n, "income": 10_345_678 + n, "left": "yes"} for n in range(9)]
PLANTED = [SECRET, *(str(row["income"]) for row in ROWS)]
"""Cells that must not be found in any body, in any mode."""
WITH_ROWS = ("parser", "supervisor", "data scientist", "code generator", "analyst", "improver")
"""Those that are shown a few rows in the mode “sample”; the others read code, results or pictures."""


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """A model on loopback."""
    with serving() as running:
        yield running


async def _nobody(call: object) -> None:
    """Not interested."""


@pytest.mark.parametrize("mode", ["schema", "sample", "off"])
@pytest.mark.parametrize("name", MINDS)
async def test_no_planted_cell_leaves_in_any_mode(
    name: str, mode: Egress, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mind = MINDS[name]
    rows = tuple(ROWS) if mode == "sample" else ()
    monkeypatch.setattr(
        Scene, "columns", property(lambda now: shown(now.schema, [now.contract.target], rows)), raising=True
    )
    server.heard.clear()
    server.plays(answers(mind.good))
    endpoint = Endpoint(base_url=server.url, model="m", seconds=20)
    models = Models({} if mode == "off" else {mind.role: [endpoint]}, egress=mode, backoff=0.0)
    spending = Spending()
    made = await mind.ask(Asker(models, spending, _nobody, None, scene().schema.names, rows))
    await models.close()
    sent = b"".join(server.heard).decode()
    assert mind.sound(made)
    assert bool(sent) == (mode != "off") == bool(spending.calls)
    for value in PLANTED:
        assert value not in sent, name
    assert [call.bytes_out for call in spending.calls] == [len(body) for body in server.heard]
    for call in spending.calls:
        assert call.rows in (0, SAMPLE_ROWS if mode == "sample" else 0), name
        assert not call.masked or mode == "sample"
    assert ("with <KIND> where" in sent) == (mode == "sample" and name in WITH_ROWS)
    assert ("<IDENTIFIER>" in sent or "<NAME>" in sent) == ("with <KIND> where" in sent)


KINDS = {
    "mail jane.doe@example.co.uk now": "mail <EMAIL> now",
    "münch@straße.de": "<EMAIL>",
    "+49 170 1234567": "<PHONE>",
    "(555) 123-4567": "<PHONE>",
    "0170/1234567": "<LONG_NUMBER>",
    "DE89 3704 0044 0532 0130 00": "<BANK_ACCOUNT>",
    "GB29NWBK60161331926819": "<BANK_ACCOUNT>",
    "4111 1111 1111 1111": "<CREDIT_CARD>",
    "078-05-1120": "<SOCIAL_SECURITY_NUMBER>",
    "from 192.168.0.1 to 2001:db8::1": "from <IP_ADDRESS> to <IP_ADDRESS>",
    "born 1987-05-12": "born <DATE>",
    "90210": "<POSTAL_CODE>",
    "https://x.y/u/jane": "<WEB_ADDRESS>",
    "Fiber optic": "Fiber optic",
    "10:22:11": "10:22:11",
    "": "",
}


@pytest.mark.parametrize("text", KINDS)
def test_personal_data_is_masked_by_its_kind(text: str) -> None:
    found, kinds = masked(text)
    assert found == KINDS[text]
    assert all(f"<{kind}>" in found for kind in kinds)
    assert bool(kinds) == (found != text)


def test_what_a_column_holds_is_told_by_its_name_in_several_languages() -> None:
    told = {
        "customer_name": "NAME",
        "CustomerName": "NAME",
        "Prénom": "NAME",
        "Kundenname": "NAME",
        "Straße": "ADDRESS",
    }
    told |= {"date of birth": "DATE_OF_BIRTH", "Geburtsdatum": "DATE_OF_BIRTH", "E-Mail": "EMAIL", "zip": "POSTAL_CODE"}
    assert {name: told_by_name(name) for name in told} == told
    for name in ("product_name", "tenure", "PaymentMethod", "capital-gain", "", "名前", "x" * 5000):
        assert told_by_name(name) == ""


def test_a_name_that_is_personal_data_has_an_alias_and_others_keep_theirs() -> None:
    plain = ("age", "2023-01-05", "sales 90210", "sensor_100", "", "Q1/2024")
    assert [in_name(name) for name in plain] == [""] * len(plain)
    aliases, kinds = aliases_of(["age", "jane@x.org", "0170 1234567", "jane@x.organic"])
    assert set(kinds) == {"EMAIL", "LONG_NUMBER"}
    assert len(set(aliases.values())) == 3
    view = Shown("", aliases=tuple(aliases.items()))
    text = 'mean of "jane@x.organic" and jane@x.org'
    hidden = view.hidden(text)
    assert "jane" not in hidden
    assert view.revealed(hidden) == text
    assert Shown("").beside(["a\\b@x.org"]).hidden(json.dumps("a\\b@x.org")).count("x.org") == 0


TABLE = Schema(
    (
        SchemaColumn("id", "integer", "id", 100),
        SchemaColumn("city", "string", "category", 5),
        SchemaColumn("who", "string", "category", 90),
        SchemaColumn("note", "string", "text", 100),
        SchemaColumn("Vorname", "string", "category", 5),
        SchemaColumn("PhoneService", "string", "category", 2),
        SchemaColumn("joined", "datetime", "date", 80),
        SchemaColumn("birthday", "date", "date", 80),
        SchemaColumn("revenue", "float", "number", 100),
        SchemaColumn("on", "boolean", "boolean", 2),
        SchemaColumn("contact", "string", "category", 3),
        SchemaColumn("unknown", "string", None, None),
        SchemaColumn("big", "integer", "number", 9),
    ),
    100,
)
ROW: dict[str, Any] = {
    "id": 17,
    "city": "Köln",
    "who": "Jane Doe",
    "note": "Jane called",
    "Vorname": "Jane",
    "PhoneService": "Yes",
    "joined": datetime.datetime(2024, 5, 17, 10, 11),
    "birthday": datetime.date(1987, 5, 12),
    "revenue": 12_345.678,
    "on": True,
    "contact": "jane@x.org",
    "unknown": "Jane",
    "big": 1234567,
}


def test_a_row_is_shown_by_what_its_columns_are() -> None:
    view = shown(TABLE, rows=[ROW])
    row = json.loads(view.text.splitlines()[-1])
    assert row == {
        "id": "<IDENTIFIER>",
        "city": "Köln",
        "who": "<FREE_TEXT>",
        "note": "<FREE_TEXT>",
        "Vorname": "<NAME>",
        "PhoneService": "Yes",
        "joined": "2024-05",
        "birthday": "<DATE_OF_BIRTH>",
        "revenue": 12350.0,
        "on": True,
        "contact": "<EMAIL>",
        "unknown": "<FREE_TEXT>",
        "big": 1235000,
    }
    assert (view.columns, view.rows) == (13, 1)
    assert set(view.masked) == {"IDENTIFIER", "FREE_TEXT", "NAME", "DATE_OF_BIRTH", "EMAIL"}


def test_odd_cells_and_wide_or_empty_tables_are_shown_as_far_as_they_go() -> None:
    odd = Schema(tuple(SchemaColumn(f"c{n}", "string", "category", 2) for n in range(500)), 10)
    row = {"c0": None, "c1": float("nan"), "c2": "x" * 500, "c3": "\n\u2028{", "c4": float("inf"), "c5": b"\xff"}
    view = shown(odd, ["c499", "nothing"], [row] * 9)
    lines = view.text.splitlines()
    assert json.loads(lines[0])["name"] == "c499"
    assert (view.columns, view.rows) == (400, SAMPLE_ROWS)
    assert lines[400] == "(100 further columns are not shown)"
    assert len(lines) == 400 + 2 + SAMPLE_ROWS
    cells = json.loads(lines[-1])
    assert (cells["c0"], cells["c1"], cells["c4"]) == (None, None, None)
    assert len(cells["c2"]) == 60
    assert shown(Schema(())) == Shown("")
    assert shown(Schema((SchemaColumn("a"),)), rows=[]).rows == 0


def test_the_meter_of_a_call_is_the_call() -> None:
    call = Call("code", "m", "text", "ok", "s", 1.0, 5, 3, 0.5, 99, columns=4, rows=5, masked=("EMAIL",))
    account = Spending(calls=[call, call]).account()
    assert account is not None
    assert (account["calls"], account["tokens"], account["money"], account["rows"]) == (2, 16, 1.0, 5)
    assert account["by_role"]["code"]["bytes_out"] == 198
    assert account["masked"] == ["EMAIL"]
    assert Spending().account() is None
