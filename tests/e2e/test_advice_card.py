"""What a model adds to a run, in the browser: computed columns, proposals to press, remarks beside the verdict."""

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.chat_app.test_three_minds import ADVICE, RESULT, WHO, words
from tests.e2e.browser import RUN_SECONDS, Person, Server
from tests.openai_server import ModelServer, by_form, serving

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    """A model that advises, remarks and invents one number."""
    with serving() as running:
        running.plays(by_form(Advice=ADVICE, ResultRead=RESULT, Words=words))
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, chromium: str, model: ModelServer) -> Iterator[Server]:
    """The chat with this model."""
    folder = tmp_path_factory.mktemp("advised")
    known = {"MODELWRIGHT_REASONING__BASE_URL": model.url, "MODELWRIGHT_REASONING__MODEL": "m"}
    running = Server(folder / "home", folder / "server.log")
    with mock.patch.dict(os.environ, known):
        running.start()
    yield running
    running.stop()


def people(folder: Path) -> Path:
    """As in the scenes without a browser."""
    rows = ["income,debt,town,born,left_on,gone"]
    for row in range(240):
        income, debt = 20 + row * 7 % 60, 5 + row * 13 % 70
        gone = debt > 0.8 * income
        day = "2024-05-01" if gone else ""
        rows.append(
            f"{income},{debt},t{row % 3},19{60 + row % 40}-{1 + row % 12:02d}-11,{day},{'yes' if gone else 'no'}"
        )
    path = folder / "people.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_advice_is_seen_changed_and_told(person: Person, browser: BrowserContext, tmp_path: Path) -> None:
    person.attach(people(tmp_path))
    person.say("predict gone")
    contract = person.at_gate("contract")
    contract.locator('[data-field="formula-born_month"]').uncheck()
    expect(contract.get_by_label("Proposed by a language model")).to_contain_text("“town” may be of no use")
    expect(contract.locator(".mw-assumptions")).not_to_contain_text("Advised and not done")
    contract.get_by_role("button", name="Leave out “town”").click()
    again = person.page.locator('[data-card="contract"]').nth(1)
    expect(again).to_have_attribute("data-status", "waiting")
    plan = person.events("PREPROCESS_PLAN")[-1]["payload"]["contract"]
    assert [one["name"] for one in plan["formulas"] if one["use"]] == ["debt_per_income"]
    assert "town" not in [one["name"] for one in plan["columns"] if one["use"]]
    expect(again.locator('[data-action="propose"]')).to_have_count(0)
    person.press(again, "approve")
    person.approve("code")
    result = person.card("result")
    expect(result.locator("[data-remarks]")).to_contain_text("Few rows carry it.", timeout=RUN_SECONDS)
    expect(result.locator("[data-remarks]")).to_contain_text(f"{WHO}")
    told = person.page.get_by_text("every number in it was checked against this run").last
    expect(told).to_contain_text("In other words (by m at", timeout=RUN_SECONDS)
    expect(told).not_to_contain_text("83.57")
    person.page.set_viewport_size({"width": 390, "height": 844})
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert person.page.evaluate(wide) <= 0
