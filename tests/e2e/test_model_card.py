"""The form at the contract: a kind of model, its parameters, a search, a template of one's own, and back."""

import pytest
from playwright.sync_api import expect

from tests.e2e.browser import Person

pytestmark = pytest.mark.xdist_group("browser")


def test_a_model_is_chosen_searched_saved_and_taken_back(person: Person) -> None:
    person.say("Predict the species in the iris sample")
    contract = person.at_gate("contract")
    contract.locator("summary", has_text="Model: chosen by Modelwright").click()
    contract.locator('[data-field="model"]').select_option("random_forest")
    expect(contract.locator('[data-field^="candidate-"]')).to_have_count(0)
    contract.locator('[data-field="model_search"]').select_option("optuna")
    contract.locator('[data-field="model-n_estimators"]').fill("many")
    contract.locator('[data-field="space-max_depth"]').fill("3..12")
    contract.locator('[data-field="model_trials"]').fill("7")
    contract.locator('[data-field="model_save"]').fill("our forest")
    contract.locator('[data-action="apply"]').click()
    refused = contract.locator("p.mw-error", has_text="whole number from 1 to 10,000")
    expect(refused).to_be_in_viewport()
    expect(contract.locator(".mw-actions")).to_contain_text("Not applied: n_estimators has to be a whole number")
    words, bar = refused.bounding_box(), contract.locator(".mw-actions").bounding_box()
    assert words is not None
    assert bar is not None
    assert words["y"] + words["height"] <= bar["y"] + 10  # not under the bar, which begins with a fade
    contract.locator('[data-field="model-n_estimators"]').fill("40")
    person.press(contract, "apply")

    again = person.page.locator('[data-card="contract"]').nth(1)
    expect(again).to_have_attribute("data-status", "waiting")
    chosen = person.events("PREPROCESS_PLAN")[-1]["payload"]["contract"]["model"]
    assert (chosen["estimator"], chosen["search"], chosen["trials"]) == ("random_forest", "optuna", 7)
    assert chosen["parameters"] == [["n_estimators", 40]]
    assert [(one["name"], one["low"], one["high"]) for one in chosen["space"]] == [("max_depth", 3, 12)]
    expect(again.locator('[data-field="model_template"]')).to_have_value("our forest")
    again.locator('[data-field="model"]').select_option("")
    person.press(again, "apply")
    last = person.page.locator('[data-card="contract"]').nth(2)
    expect(last).to_have_attribute("data-status", "waiting")
    assert person.events("PREPROCESS_PLAN")[-1]["payload"]["contract"]["model"] is None
