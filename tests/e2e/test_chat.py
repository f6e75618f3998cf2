"""The main job in the browser: from an upload to a result, and nothing on the way is lost."""

import io
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.e2e.browser import Person, Server, report_of

pytestmark = pytest.mark.xdist_group("browser")

WISH = "Predict the diagnosis"


def test_from_an_upload_to_a_result_with_an_edited_script(person: Person, table: Path) -> None:
    person.start(WISH, table)
    person.approve("contract")
    code = person.at_gate("code")
    person.press(code, "edit")
    person.page.keyboard.press("Control+Home")
    person.page.keyboard.type("# edited by hand\n")
    person.press(code, "submit")
    again = person.at_gate("code")
    expect(again.locator(".cm-content")).to_contain_text("# edited by hand")
    expect(again.locator(".mw-note-text")).to_contain_text("your version")
    person.press(again, "approve")

    first = person.until_points(1)
    assert person.until_points(first + 1) > first, "the live chart moves while the training runs"
    expect(person.page.locator(".mw-panel")).to_have_attribute("data-state", "running")

    result = person.until_result()
    report = report_of(person, result)
    shown = float(result.locator("[data-score]").get_attribute("data-score") or "nan")
    assert shown == pytest.approx(report["metric"]["value"])
    bundle = person.fetch(result.locator('[data-action="bundle"]'))
    with zipfile.ZipFile(io.BytesIO(bundle)) as opened:
        assert opened.testzip() is None
    assert b"# edited by hand" in person.fetch(result.locator('[data-file="train.py"]'))
    result.locator('[data-tab="charts"]').click()
    expect(result.locator('[data-drawn="true"] svg').first).to_be_visible()
    assert person.foreign == [], "no request leaves for any other host"


def test_a_reload_a_second_tab_and_a_lost_connection_in_mid_run(person: Person, table: Path) -> None:
    person.to_training(WISH, table)
    before = person.points()
    person.page.reload()
    assert person.until_points(before) >= before, "the chart goes on where it was"
    expect(person.page.locator('.mw-panel [data-action="stop"]')).to_be_visible()
    other = person.second_tab()
    other.until_points(before)

    person.page.context.set_offline(True)
    person.page.context.set_offline(False)
    for tab in (person, other):
        tab.until_result()
        expect(tab.page.locator('[data-step-type="user_message"]')).to_have_count(1)
        expect(tab.page.locator('[data-card="result"]')).to_have_count(1)
        expect(tab.page.locator(".mw-panel")).to_have_attribute("data-state", "done")
    assert person.trainings() == 1
    assert person.foreign == []


def test_a_server_that_is_killed_goes_on_where_it_was(
    mortal_server: Server, browser: BrowserContext, table: Path
) -> None:
    server, person = mortal_server, Person.opens(mortal_server, browser)
    person.start(WISH, table)
    person.at_gate("contract")
    server.kill()
    server.start()
    person.until_back()
    person.approve("contract")  # in the same tab, without a reload
    person.approve("code")
    person.until_points(1)
    server.kill()
    server.start()
    person.until_back()
    person.until_result()
    assert person.trainings() == 2, "the run that was cut off was begun anew, once"
    assert len(person.events("SCORED")) == 1
    expect(person.page.locator('[data-step-type="user_message"]')).to_have_count(1)

    person.page.goto(server.url)
    person.page.locator("#thread-history").get_by_text(WISH).click()
    expect(person.page.locator('[data-card="result"]')).to_have_count(1)
    assert person.foreign == []


def test_three_clicks_are_one_decision_and_stop_stops(person: Person, table: Path) -> None:
    person.start(WISH, table)
    person.approve("contract")
    code = person.at_gate("code")
    code.locator('[data-action="approve"]').evaluate("button => { button.click(); button.click(); button.click(); }")
    interrupt = person.events("WAITING_CONFIRMATION")[-1]["payload"]["interrupt_id"]
    late = person.page.request.post(
        f"{person.server.url}/api/projects/{person.project}/decide",
        data={"interrupt_id": interrupt, "decision": {"action": "approve"}},
    )
    assert (late.status, late.json()["accepted"]) == (409, False)
    person.until_points(1)
    assert person.trainings() == 1
    person.stop_it_all()
    expect(person.page.locator(".mw-panel")).to_have_attribute("data-state", "stopped")
    expect(person.page.get_by_text("Everything that was finished is kept")).to_be_visible()
    expect(person.page.locator("#stop-button")).to_have_count(0)


def test_what_cannot_be_done_is_said_and_the_project_goes_on(person: Person, tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text("a,b\n")
    person.start("predict a", empty)
    failure = person.card("failure")
    expect(failure).to_be_visible()
    expect(failure).to_contain_text("empty.csv")
    person.say("Predict the species in the iris sample")
    contract = person.at_gate("contract")
    contract.locator('[data-field="budget"]').fill("30")
    person.press(contract, "apply")
    changed = person.page.locator('[data-card="contract"]').nth(1)
    expect(changed).to_have_attribute("data-status", "waiting")
    expect(changed.locator('[data-field="budget"]')).to_have_value("30")
    expect(contract.first).to_be_visible()
    assert person.foreign == []


def test_a_narrow_screen_shows_the_conversation_first(server: Server, browser: BrowserContext) -> None:
    browser.pages[0].set_viewport_size({"width": 390, "height": 844})
    person = Person.opens(server, browser)
    person.say("Predict the species in the iris sample")
    contract = person.at_gate("contract")
    expect(contract.locator('[data-action="approve"]')).to_be_visible()
    expect(person.page.locator(".mw-panel")).to_have_count(0)
    overflow = person.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, "nothing is wider than the screen"
    person.page.reload()
    expect(person.at_gate("contract").locator('[data-action="approve"]')).to_be_visible()
