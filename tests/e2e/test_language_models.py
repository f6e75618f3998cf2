"""Language models in the browser: their settings and tests, the meter, a plan of several steps, the search's tree."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect
from starlette.responses import Response

from agents import events as ev
from agents.context import Entry
from chat_app.conductor import Policy, open_conductor
from chat_app.settings import Settings
from tests.chat_app.scenes import at_gate
from tests.e2e.browser import Person, Server
from tests.fakes import ScriptedSandbox
from tests.openai_server import Asked, Behaviour, ModelServer, answers, mode_of, says, serving
from tools.samples import write_sample

pytestmark = pytest.mark.xdist_group("browser")

KEY = "sk-rumpelstiltskin"
CODE = "```python\ndef median_of(values):\n    return sorted(values)[len(values) // 2]\n```"
GERMAN: dict[str, object] = {
    "reason": "die Blumenart ist species",
    "missing": "",
    "question": "",
    "choices": [],
    "kind": "model",
    "answerable": True,
    "target": "species",
    **dict.fromkeys(("exclude", "use_again", "include"), []),
    **dict.fromkeys(("task", "positive_class", "metric", "split_rule", "split_column", "budget_seconds", "profile")),
    **dict.fromkeys(("row", "column")),
}


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    """A good server on loopback."""
    with serving() as running:
        yield running


def by_turns(values: dict[str, dict[str, object]]) -> Behaviour:
    """The value whose name stands in the schema or the words of the question; words where no form is asked for."""

    async def answer(asked: Asked) -> Response:
        words = json.dumps(asked)
        found = next((value for name, value in values.items() if name in words), None)
        if found is not None:
            return await answers(found)(asked)
        return await says(CODE if "median_of" in words and mode_of(asked) == "text" else "I am here.")(asked)

    return answer


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    wide: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return wide


def filled(role: Locator, **fields: str) -> None:
    for name, value in fields.items():
        role.locator(f'[data-field="{name}"]').fill(value)


def test_a_model_is_set_tried_and_used_and_its_key_is_never_seen_again(person: Person, model: ModelServer) -> None:
    model.plays(by_turns({'"word"': {"reason": "I am", "word": "ready"}, "split_column": GERMAN}))
    page = person.page
    page.locator("#mw-settings-button").focus()
    page.keyboard.press("Enter")
    role = page.get_by_role("dialog", name="Language models").locator('[data-role="reasoning"]')
    filled(role, base_url="a model at home", model="m", key=KEY)
    page.keyboard.press("Enter")  # in the field, as in any form
    expect(role.locator("p.mw-error")).to_contain_text("no address of a model server")
    expect(role.locator("p.mw-error")).to_contain_text("Address")
    filled(role, base_url=model.url)
    other = page.locator('[data-role="code"]')
    other.locator("summary", has_text="Code").click()
    filled(other, model="not saved yet")
    role.locator("summary", has_text="Temperature").click()
    filled(role, price_in="2000")
    role.locator('[data-action="save"]').click()
    expect(role.locator(".mw-said")).to_have_text("Saved")
    expect(role.locator('[data-field="key"]')).to_have_value("")
    expect(other.locator('[data-field="model"]')).to_have_value("not saved yet")

    role.locator('[data-action="test"]').click()
    role.locator('[data-test="code"][data-ok]').wait_for()
    for what in ("sentence", "structured", "code"):
        expect(role.locator(f'[data-test="{what}"]')).to_have_attribute("data-ok", "true")
    expect(role.locator('[data-mode="json_schema"]')).to_have_attribute("data-works", "true")
    expect(role.locator('[data-test="sentence"]')).to_contain_text("11 tokens sent, 7 answered")
    expect(page.locator('[data-part="today"]')).to_contain_text("Today, all projects:")
    assert f"Bearer {KEY}" in model.keys
    assert KEY not in page.content()
    page.locator('[data-field="run_tokens"]').fill("lots")
    page.locator('[data-action="save-budgets"]').click()
    expect(page.locator('[data-part="budgets"] p.mw-error')).to_contain_text("“lots” is no amount")
    page.locator('[data-field="run_tokens"]').fill("50,000")
    page.locator('[data-action="save-budgets"]').click()
    expect(page.locator('[data-part="budgets"] .mw-said')).to_have_text("Saved")
    page.set_viewport_size({"width": 390, "height": 844})
    assert overflow(page) <= 0
    page.set_viewport_size({"width": 1440, "height": 900})
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("#mw-settings-button")).to_be_focused()

    page.goto(f"{person.server.url}/settings")
    kept = page.get_by_role("dialog", name="Language models")
    expect(kept.locator('[data-field="run_tokens"]')).to_have_value("50000")
    expect(kept.locator('[data-role="reasoning"] [data-field="key"]')).to_have_value("")
    kept.locator('[data-action="close"]').click()
    page.locator('button[id^="starter-"]:not([disabled])').first.wait_for()
    person.say("Welche Blumenart ist es? Nimm das Beispiel iris.")
    person.at_gate("contract")
    meter = page.locator(".mw-panel [data-meter]")
    meter.wait_for()
    expect(meter).to_contain_text("columns' names only")
    expect(meter).to_contain_text("tokens, 0.0")
    meter.click()
    expect(page.locator(".mw-meter").get_by_role("row", name="This request")).to_be_visible()


def test_a_plan_is_reworded_reordered_and_worked_off(person: Person, tmp_path: Path) -> None:
    page = person.page
    person.start("describe the table, clean it, then predict species", write_sample("iris", tmp_path))
    plan = person.at_gate("plan")
    expect(plan.locator("[data-step]")).to_have_count(3)
    plan.locator('[data-part="up"]').nth(1).focus()
    page.keyboard.press("Enter")
    expect(plan.get_by_role("textbox").first).to_have_value("clean it")
    expect(plan.get_by_role("button", name="Move down, step 1")).to_be_focused()
    plan.get_by_role("textbox").nth(2).fill("")
    expect(plan.locator('[data-action="apply"]')).to_be_disabled()
    plan.get_by_role("textbox").nth(2).fill("predict petal_width_cm")
    plan.get_by_role("button", name="Remove, step 2").click()
    person.press(plan, "apply")
    plan.locator('[data-action="approve"]').wait_for()
    expect(plan.locator("[data-step]")).to_have_count(2)
    person.press(plan, "approve")
    contract = person.at_gate("contract")
    expect(contract.locator('[data-field="target"]')).to_have_value("petal_width_cm")
    told = person.card("plan")
    expect(told.locator("[data-step-status]").first).to_have_attribute("data-step-status", "done")
    expect(told.locator("[data-step-status]").last).to_have_attribute("data-step-status", "running")
    page.locator('[data-card="data"] [data-chart][data-drawn]').first.scroll_into_view_if_needed()
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function(
        "[...document.querySelectorAll('[data-drawn] svg')].every(one => one.getBoundingClientRect().width <= 390)"
    )
    assert overflow(page) <= 0


@pytest.fixture
def searched(tmp_path: Path, chromium: str) -> Iterator[Server]:
    """A chat with one project at the code gate in which a search has come to an end."""
    home = tmp_path / "home"
    with ThreadPoolExecutor(1) as elsewhere:  # the browser's event loop is this thread's
        elsewhere.submit(asyncio.run, _search(home)).result()
    server = Server(home, tmp_path / "server.log")
    server.start()
    yield server
    server.stop()


async def _search(home: Path) -> None:
    async with open_conductor(Settings(home=home), ScriptedSandbox()) as conductor:
        project = await conductor.new_project(project="searched", policy=Policy(False, True))
        await conductor.start(project, "classify species", ["iris"])
        gate = await at_gate(conductor, project, "code")
        vault, code = conductor.vault(project), gate.payload["payload"]["code"]
        hashes = [vault.put_text(code.replace("SEED = 0", f"SEED = {number}")) for number in range(3)]
        hostile = "<img src=x onerror=alert(1)> ![p](http://evil.example/q.png)"
        found: list[ev.Event] = [
            ev.SearchStep(1, 0, None, "recipe", hashes[0], "scored", "", "The recipe.", "log_loss", 0.2, 0.1, 0.3),
            ev.SearchStep(1, 1, 0, "draft", hashes[1], "failed", hostile, "KeyError in line 3.", "log_loss"),
            ev.SearchStep(
                1,
                2,
                1,
                "debug",
                hashes[2],
                "scored",
                "another seed",
                "Ran.",
                "log_loss",
                0.1,
                0.05,
                0.2,
                0.1,
                0.01,
                0.2,
            ),
            ev.SearchEnded(1, 2, 2, "Script 2 makes the result.", 2, 2, 0.1, 0.01, 0.2),
        ]
        entries = [Entry(f"search/{number}", event, None, "system") for number, event in enumerate(found)]
        await conductor.log.append(project, entries)


def test_the_tree_of_the_search_is_read_compared_and_taken_over(searched: Server, browser: BrowserContext) -> None:
    person = Person.opens(searched, browser)
    page = person.page
    page.goto(f"{searched.url}/thread/searched")
    tree = person.card("search")
    tree.wait_for()
    expect(tree.locator("ul ul ul [data-node]")).to_contain_text("Repair 2")
    expect(tree.locator('[data-node="2"]')).to_contain_text("the result")
    expect(tree.locator('[data-node="1"]')).to_contain_text("<img src=x")
    expect(tree.locator("img")).to_have_count(0)
    tree.locator('[data-node="2"]').focus()
    page.keyboard.press("Enter")
    difference = tree.locator('[data-code-of="2"]')
    expect(difference).to_contain_text("SEED = 2")
    expect(difference.locator(".cm-deletedChunk")).to_contain_text("SEED = 1")
    tree.locator('[data-field="against"]').select_option("0")
    expect(difference.locator(".cm-deletedChunk")).to_contain_text("SEED = 0")
    person.press(tree, "take-over")
    gate = page.locator('[data-card="code"][data-status="waiting"]', has_text="your version")
    gate.wait_for()
    expect(gate.locator("[data-diff]")).to_contain_text("+SEED = 2")
    assert person.foreign == []
