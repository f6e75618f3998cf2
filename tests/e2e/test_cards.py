"""What the cards show is what is sent, and words from a table stay words."""

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Dialog, Locator, expect

from tests.e2e.browser import Person, Server

pytestmark = pytest.mark.xdist_group("browser")

IRIS = "Predict the species in the iris sample"
LABELS = ("![p](http://evil.example/q.png)", "<img src=x onerror=alert(1)> javascript:alert(3) :name")
COLUMN = "http://evil.example/column?a=*b*"


def wrong_then_right(card: Locator, name: str, wrong: str, right: str) -> None:
    wanted = f'[data-field="{name}"]'
    field = card.locator(wanted)
    field.fill(wrong)
    below = card.locator(".mw-field", has=card.page.locator(wanted)).locator(".mw-error")
    expect(below).not_to_be_empty()
    expect(card.locator('[data-action="apply"]')).to_be_disabled()
    expect(card.locator('[data-action="approve"]')).to_have_count(0)
    field.fill(right)
    expect(below).to_be_empty()


def test_what_is_sent_is_what_the_contract_shows(person: Person) -> None:
    person.say(IRIS)
    contract = person.at_gate("contract")
    for name, wrong, right in (("budget", "", "31"), ("holdout", "60", "12.5"), ("seed", "1.5", "4294967295")):
        wrong_then_right(contract, name, wrong, right)
    budget = contract.locator('[data-field="budget"]')
    budget.fill("3")
    contract.locator('[data-action="undo"]').click()
    expect(contract.locator(".mw-field .mw-error:not(:empty)")).to_have_count(0)
    expect(contract.locator('[data-action="approve"]')).to_be_enabled()

    budget.press("End")
    person.page.keyboard.type("2")  # 12 and then 122: in a field, not from a script
    contract.locator('[data-field="holdout"]').fill("12.5")
    contract.locator("summary", has_text="More").click()
    contract.locator('[data-field="row_unit"]').fill("one flower")
    contract.locator('[data-field="also-accuracy"]').check()
    contract.locator('[data-role-of="petal_length_cm"]').select_option("category")
    contract.locator('[data-column="sepal_width_cm"]').click()
    person.press(contract, "apply")
    again = person.page.locator('[data-card="contract"]').nth(1)
    expect(again).to_have_attribute("data-status", "waiting")
    for name, value in (("budget", "122"), ("holdout", "12.5"), ("row_unit", "one flower")):
        expect(again.locator(f'[data-field="{name}"]')).to_have_value(value)
    planned = person.events("PREPROCESS_PLAN")[-1]["payload"]["contract"]
    assert (planned["budget_seconds"], planned["split"]["holdout_fraction"]) == (122, 0.125)
    assert "accuracy" in planned["also"]
    columns = {column["name"]: column for column in planned["columns"]}
    assert columns["petal_length_cm"]["role"] == "category"
    assert not columns["sepal_width_cm"]["use"]


def test_another_target_and_task_are_planned_anew(person: Person) -> None:
    person.say(IRIS)
    contract = person.at_gate("contract")
    contract.locator('[data-field="target"]').select_option("petal_width_cm")
    expect(contract.locator('[data-field="metric"]')).to_have_count(0)
    person.press(contract, "apply")
    again = person.page.locator('[data-card="contract"]').nth(1)
    expect(again).to_have_attribute("data-status", "waiting")
    expect(again.locator('[data-field="task"]')).to_have_value("regression")
    again.locator('[data-field="task"]').select_option("binary")
    person.press(again, "apply")
    expect(again.locator(".mw-card-body > .mw-error")).to_contain_text("petal_width_cm")
    again.locator('[data-action="undo"]').click()
    expect(again.locator(".mw-card-body > .mw-error")).to_be_empty()


def test_words_of_a_table_are_neither_links_nor_pictures(person: Person, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    rows = [f'{number % 7},"{LABELS[number % 2]}"' for number in range(80)]
    table.write_text("\n".join([f'"{COLUMN}",kind', *rows]) + "\n")
    dialogs: list[str] = []

    def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    person.page.on("dialog", note)
    person.start("predict kind", table)
    person.at_gate("contract")
    understood = person.page.locator(".ai-message", has_text="I will predict")
    for label in LABELS:
        expect(understood).to_contain_text(label.replace("://", ":\u2060//"))
    person.approve("contract")
    person.approve("code")
    person.until_result()
    assert (
        person.page.locator('a[href*="evil"], a[href^="javascript"], [data-step-type] img:not(.avatar *)').evaluate_all(
            "found => found.map(one => one.outerHTML).filter(html => !html.includes('/avatars/'))"
        )
        == []
    )
    assert dialogs == []
    assert person.foreign == []


def test_after_stop_it_goes_on_and_the_panel_opens_again(person: Person) -> None:
    person.say(IRIS)
    person.approve("contract")
    person.approve("code")
    person.until_points(1)
    person.stop_it_all()
    person.press(person.card("stopped", "waiting"), "go-on")
    code = person.at_gate("code")
    expect(person.page.locator('[data-action="go-on"]')).to_have_count(0)
    run = person.page.locator("#mw-run-button")
    run.click()
    expect(person.page.locator(".mw-panel")).to_have_count(0)
    run.click()
    expect(person.page.locator(".mw-panel")).to_be_visible()
    person.press(code, "reject")
    code.locator(".mw-reason input").fill("please use fewer trees")
    person.press(code, "reject-send")
    said = person.page.locator('[data-step-type="user_message"]', has_text="please use fewer trees")
    expect(said).to_be_visible()


def test_what_changed_in_a_script_and_why_it_was_sent_back(person: Person) -> None:
    complaints: list[str] = []
    person.page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    person.say(IRIS)
    person.approve("contract")
    code = person.at_gate("code")
    expect(code.locator("[data-diff]")).to_have_count(0)
    person.press(code, "edit")
    person.page.keyboard.press("Control+Home")
    person.page.keyboard.type("import socket\n")
    person.press(code, "submit")
    again = person.page.locator('[data-card="code"][data-gate="blocked"]')
    expect(again.locator("[data-diff]")).to_contain_text("+import socket")
    expect(again.locator("[data-note]")).to_contain_text("edited by you")
    anyway = again.locator('[data-action="approve"]')
    expect(anyway).to_have_text("Run it anyway")
    expect(anyway).to_be_disabled()
    expect(again.locator(".mw-primary")).to_have_count(0)

    person.press(again, "edit")
    for key in ("Control+Home", "Shift+ArrowDown", "Delete"):
        person.page.keyboard.press(key)
    person.page.keyboard.type("# by hand\n")
    person.press(again, "submit")
    third = person.page.locator('[data-card="code"][data-gate="code"][data-status="waiting"]')
    expect(third.locator(".cm-line").first).to_have_text("# by hand")
    expect(third.locator("[data-diff]")).to_contain_text("-import socket")
    assert complaints == []


def test_a_file_that_cannot_be_a_table_is_refused_in_one_sentence(person: Person, tmp_path: Path) -> None:
    nothing, picture = tmp_path / "nothing.csv", tmp_path / "picture.gif"
    nothing.write_bytes(b"")
    picture.write_bytes(b"GIF89a")
    toast = person.page.locator("[data-sonner-toast]")
    person.page.set_input_files("#upload-button-input", str(nothing))
    expect(toast).to_have_text(
        "Not attached: nothing.csv: The file is empty (0 bytes); please choose a table with rows."
    )
    person.page.set_input_files("#upload-button-input", str(picture))
    expect(toast.first).to_contain_text("File type must be .csv,.tsv,.txt,.gz,.xlsx,.json,.ndjson,.jsonl,.parquet,.png")


def test_of_several_files_it_is_said_which_was_taken(person: Person, table: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("a,b\n" + "1,2\n" * 30)
    person.attach(other)
    person.start("Predict the diagnosis", table)
    expect(person.page.get_by_text(f"took {table.name}").first).to_be_visible()


def test_a_narrow_screen_opens_the_panel_when_asked(server: Server, browser: BrowserContext) -> None:
    browser.pages[0].set_viewport_size({"width": 390, "height": 844})
    person = Person.opens(server, browser)
    person.say(IRIS)
    contract = person.at_gate("contract")
    contract.locator("summary", has_text="More").click()
    overflow = person.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0
    person.page.locator("#mw-run-button").click()
    expect(person.page.locator(".mw-panel")).to_be_visible()
    person.page.keyboard.press("Escape")
    expect(person.page.locator(".mw-panel")).to_have_count(0)
    person.page.locator("#mw-run-button").click()
    expect(person.page.locator(".mw-panel")).to_be_visible()
