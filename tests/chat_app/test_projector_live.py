"""Open tabs are told what happens: in order, once, without what they know already."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

from agents import events as ev
from agents.events import Envelope, Event
from chat_app.conductor import Conductor
from chat_app.live import LiveView, Views
from chat_app.projector import drawn_id
from tests.chat_app.logs import PROJECT, a_whole_turn, at_the_contract, log, trained


class Logged:
    """The part of a conductor that a view reads, over a log that the test grows."""

    def __init__(self, events: Sequence[Event] = ()) -> None:
        self.log = log(events)
        self._grown = asyncio.Condition()

    async def grow(self, *events: Event) -> None:
        self.log += log(events, after=len(self.log))
        async with self._grown:
            self._grown.notify_all()

    async def events(self, _project: str, after_seq: int = 0) -> list[Envelope]:
        return [envelope for envelope in self.log if envelope.seq > after_seq]

    async def subscribe(self, project: str, after_seq: int = 0) -> AsyncIterator[Envelope]:
        while True:
            async with self._grown:
                fresh = await self.events(project, after_seq)
                if not fresh:
                    await self._grown.wait()
                    continue
            for envelope in fresh:
                yield envelope
            after_seq = fresh[-1].seq


class PaperTab:
    """A tab that keeps what it was sent."""

    def __init__(self, name: str = "t1") -> None:
        self.id = name
        self.got: list[tuple[str, Any]] = []
        self._more = asyncio.Condition()

    async def emit(self, event: str, data: Any) -> None:
        async with self._more:
            self.got.append((event, data))
            self._more.notify_all()

    async def until(self, event: str, **wanted: Any) -> Any:
        """The first message of that kind with these fields."""

        def found() -> list[Any]:
            return [d for e, d in self.got if e == event and all(d.get(k) == v for k, v in wanted.items())]

        async with self._more:
            await asyncio.wait_for(self._more.wait_for(lambda: bool(found())), 20)
        return found()[0]

    def names(self) -> list[str]:
        return [data["name"] for event, data in self.got if event == "element"]


def views_of(conductor: Logged, tabs: list[PaperTab]) -> Views:
    return Views(cast(Conductor, conductor), lambda _: tabs)


async def test_a_tab_sees_cards_and_panel_as_they_come() -> None:
    conductor, tab = Logged(), PaperTab()
    views = views_of(conductor, [tab])
    await views.open(PROJECT)
    await conductor.grow(*at_the_contract())
    contract = await tab.until("element", name="Contract")
    assert contract["props"]["open"] is True
    assert contract["props"]["project"] == PROJECT
    assert {"Data", "Run"} <= set(tab.names()) | {(await tab.until("element", name="Run"))["name"]}
    await conductor.grow(ev.Decided("i1", "contract", "approve", "user"), *trained())
    await tab.until("task_start")
    assert tab.names().count("Run") == 1, "after the first time the panel gets patches, never a new element"
    await views.close()


async def test_live_points_come_as_a_patch_and_not_as_an_element() -> None:
    conductor, tab = Logged([*at_the_contract(), *trained()[:4]]), PaperTab()
    views = views_of(conductor, [tab])
    view = await views.open(PROJECT)
    await view.attach(tab)
    before = len(tab.names())
    await conductor.grow(ev.MetricScalar("r1", "lightgbm", "log_loss", 0.5, 3, 0, 0.1))
    patch = await tab.until("window_message", points=[("lightgbm", "log_loss", 0, 3, 0.5)])
    assert patch["seq"] == conductor.log[-1].seq
    assert len(tab.names()) == before
    await views.close()


async def test_a_tab_that_comes_back_gets_what_it_missed_and_the_whole_panel() -> None:
    conductor, tab = Logged(at_the_contract()), PaperTab()
    views = views_of(conductor, [])
    view = await views.open(PROJECT)
    seen = (await view.thread("t", "local"))["metadata"]["seq"]
    await conductor.grow(ev.Decided("i1", "contract", "approve", "user"), *trained())
    await view.thread("t", "local")
    await view.attach(tab, seen)
    assert tab.names()[:3] == ["Contract", "Code", "Training"]
    whole = await tab.until("window_message", full=True)
    assert whole["panel"]["leaderboard"]["rows"][0]["model"] == "linear"
    await views.close()


async def test_the_senders_own_message_and_upload_are_not_drawn_twice() -> None:
    conductor, tab = Logged(), PaperTab()
    views = views_of(conductor, [tab])
    view = await views.open(PROJECT)
    view.expect("my-message", ["my-file"])
    await conductor.grow(*at_the_contract())
    message = await tab.until("new_message", type="user_message")
    chip = await tab.until("element", type="file")
    assert (message["id"], chip["id"], chip["forId"]) == ("my-message", "my-file", "my-message")
    thread = await view.thread("t", "local")
    assert thread["steps"][0]["id"] == "my-message"
    await views.close()


async def test_a_refused_message_leaves_no_trace() -> None:
    conductor, tab = Logged(), PaperTab()
    views = views_of(conductor, [tab])
    view = await views.open(PROJECT)
    view.forget(view.expect("refused", []))
    await conductor.grow(ev.MessageReceived("from another tab"))
    message = await tab.until("new_message", type="user_message")
    assert message["id"] == drawn_id(PROJECT, "user/1")
    await views.close()


async def test_a_thread_opened_later_is_the_same_conversation() -> None:
    views = views_of(Logged(a_whole_turn()), [])
    first = await (await views.open(PROJECT)).thread("t", "local")
    again = LiveView(cast(Conductor, Logged(a_whole_turn())), PROJECT, lambda _: [])
    await again.open()
    assert await again.thread("t", "local") == first
    assert [element["name"] for element in first["elements"]][-1] == "Run"
    await again.close()
    await views.close()


async def test_a_tab_that_breaks_does_not_silence_the_others() -> None:
    class Broken(PaperTab):
        async def emit(self, event: str, data: Any) -> None:
            raise ConnectionError("gone")

    conductor, good = Logged(), PaperTab("good")
    views = views_of(conductor, [Broken("broken"), good])
    await views.open(PROJECT)
    await conductor.grow(ev.MessageReceived("one"))
    await conductor.grow(*at_the_contract()[1:])
    await good.until("element", name="Contract")
    await views.close()
