"""A picture in the browser: asked about, read, drawn again by a script that is shown before it runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.chat_app.test_pictures import SEEN, chart, looks
from tests.e2e.browser import RUN_SECONDS, Person
from tests.e2e.test_language_models import filled, overflow
from tests.openai_server import ModelServer, serving

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    """A good server on loopback."""
    with serving() as running:
        yield running


def configure(person: Person, model: ModelServer, *roles: str) -> None:
    page = person.page
    page.locator("#mw-settings-button").click()
    for name in roles:
        role = page.get_by_role("dialog", name="Language models").locator(f'[data-role="{name}"]')
        role.locator("summary").first.click()
        filled(role, base_url=model.url, model="m")
        role.locator('[data-action="save"]').click()
        expect(role.locator(".mw-said")).to_have_text("Saved")
    page.keyboard.press("Escape")


def test_a_picture_is_asked_about_and_drawn_again(person: Person, model: ModelServer, tmp_path: Path) -> None:
    looks(model, SEEN)
    configure(person, model, "vision", "code")
    page = person.page
    page.set_input_files("#upload-button-input", str(chart(tmp_path / "sales.png")))
    expect(page.locator("#attachments").get_by_role("img", name="sales.png")).to_be_visible()
    person.say("redraw this chart")
    question = person.at_gate("question")
    expect(question).to_contain_text("leaves this machine whole")
    question.get_by_role("button", name="Send it", exact=True).click()
    code = person.at_gate("code")
    expect(code).to_contain_text("Script for your question")
    expect(page.locator('[data-card="data"]').last).to_contain_text("Read off a picture by m")
    person.press(code, "approve")
    drawn = page.locator('[data-card="explanation"] svg, [data-card="explanation"] canvas').last
    drawn.wait_for(timeout=RUN_SECONDS)
    expect(page.get_by_role("article").get_by_text("The bars again.", exact=True)).to_be_visible()
    script = page.get_by_role("link", name="The script")
    assert b"read_parquet" in person.fetch(script)
    expect(page.locator(".mw-panel [data-meter]")).to_contain_text("pictures")
    page.set_viewport_size({"width": 390, "height": 844})
    assert overflow(page) <= 0
