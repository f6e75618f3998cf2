"""The blueprint in the contract's card: what is computed can be switched off, what is assumed can be changed."""

from pathlib import Path

from playwright.sync_api import expect

from tests.e2e.browser import Person
from tests.tools.test_blueprints import telco


def test_a_computed_column_is_switched_off_and_a_number_changed(person: Person, tmp_path: Path) -> None:
    telco(300).to_csv(tmp_path / "customers.csv", index=False)
    person.attach(tmp_path / "customers.csv")
    person.say("predict Churn")
    contract = person.at_gate("contract")
    contract.locator("summary", has_text="Blueprint: Customer churn · 9 computed columns").click()
    contract.locator('[data-field="derived-tenure_group"]').uncheck()
    contract.locator('[data-field="stated-success"]').fill("7")
    expect(contract.locator('[data-action="apply"]')).to_be_disabled()
    contract.locator('[data-field="stated-success"]').fill("0.5")
    person.press(contract, "apply")
    again = person.page.locator('[data-card="contract"]').nth(1)
    expect(again).to_have_attribute("data-status", "waiting")
    part = person.events("PREPROCESS_PLAN")[-1]["payload"]["contract"]["blueprint"]
    assert {one["name"]: one["value"] for one in part["stated"]}["success"] == 0.5
    assert [one["name"] for one in part["derived"] if not one["use"]] == ["tenure_group"]
    expect(again.locator("summary", has_text="8 computed columns")).to_be_visible()
