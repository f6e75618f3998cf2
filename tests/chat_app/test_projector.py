"""What a conversation shows, drawn from logs."""

from agents import events as ev
from agents.events import Event
from chat_app.projector import Card, Projection, drawn_id
from tests.chat_app.logs import CONTRACT, PROJECT, a_whole_turn, at_the_contract, log, reported, trained


def drawn(*events: Event) -> Projection:
    return Projection(PROJECT, log(events))


def only(projection: Projection, kind: str) -> Card:
    found = [card for card in projection.cards.values() if card.kind == kind]
    assert len(found) == 1, [card.key for card in found]
    return found[0]


def test_a_whole_turn_reads_as_a_conversation() -> None:
    shown = drawn(*a_whole_turn())
    assert [bubble.role for bubble in shown.bubbles.values()][0] == "user"
    assert [card.kind for card in shown.cards.values()] == ["Data", "Contract", "Code", "Training", "Result"]
    assert next(iter(shown.bubbles.values())).files == ("customers.csv",)


def test_the_same_log_gives_the_same_ids_and_cards_however_it_arrives() -> None:
    envelopes = log(a_whole_turn())
    at_once, one_by_one = Projection(PROJECT, envelopes), Projection(PROJECT)
    for envelope in envelopes:
        one_by_one.apply(envelope)
        one_by_one.apply(envelope)  # an event that comes twice changes nothing
    assert at_once.cards == one_by_one.cards
    assert at_once.bubbles == one_by_one.bubbles
    assert at_once.panel.snapshot() == one_by_one.panel.snapshot()
    assert drawn_id(PROJECT, "user/1") == drawn_id(PROJECT, "user/1") != drawn_id("p2", "user/1")


def test_a_gate_is_open_until_it_is_decided() -> None:
    waiting = drawn(*at_the_contract())
    assert only(waiting, "Contract").props["open"] is True
    assert waiting.panel.state == "waiting"
    decided = drawn(*at_the_contract(), ev.Decided("i1", "contract", "approve", "user"))
    assert only(decided, "Contract").props["open"] is False
    assert only(decided, "Contract").props["decided"]["action"] == "approve"
    assert decided.panel.state == "running"


def test_an_edited_contract_is_a_new_card_and_the_old_one_is_closed() -> None:
    again = ev.WaitingConfirmation("i9", "contract", "And now?", {"contract": CONTRACT, "problems": []})
    shown = drawn(*at_the_contract(), ev.Decided("i1", "contract", "edit", "user"), again)
    cards = [card for card in shown.cards.values() if card.kind == "Contract"]
    assert [(card.props["interrupt_id"], card.props["open"]) for card in cards] == [("i1", False), ("i9", True)]


def test_a_new_message_leaves_no_old_gate_open() -> None:
    shown = drawn(*at_the_contract(), ev.MessageReceived("predict age instead"))
    assert only(shown, "Contract").props["decided"]["action"] == "superseded"
    assert not [card for card in shown.cards.values() if card.props.get("open")]
    assert "WAITING_CONFIRMATION" not in [line.status for line in shown.panel.stages.values()]


def test_an_answer_is_said_once() -> None:
    told: list[ev.Event] = [
        ev.PromptParsed({"kind": "unsupported"}, "I cannot."),
        ev.Answered("I cannot.", "unsupported"),
    ]
    assert [bubble.text for bubble in drawn(ev.MessageReceived("fly"), *told).bubbles.values()] == ["fly", "I cannot."]


def test_a_question_is_one_card_and_its_answer_a_message_of_the_user() -> None:
    question = ev.WaitingConfirmation(
        "q1", "question", "Which column?", {"text": "Which column?", "choices": ["a", "b"]}
    )
    start: list[Event] = [ev.MessageReceived("predict it"), ev.Asked("Which column?", ("a", "b")), question]
    asked = only(drawn(*start), "Question")
    assert (asked.props["open"], asked.props["interrupt_id"]) == (True, "q1")
    answered = drawn(*start, ev.Decided("q1", "question", "answer", "user", "a"))
    assert only(answered, "Question").props["open"] is False
    assert [bubble.text for bubble in answered.bubbles.values() if bubble.role == "user"] == ["predict it", "a"]


def test_a_question_without_a_gate_waits_for_the_next_message() -> None:
    start: list[Event] = [ev.MessageReceived("hi"), ev.Asked("I need a table first.", ("iris",)), ev.TurnEnded("done")]
    asked = only(drawn(*start), "Question")
    assert (asked.props["open"], asked.props["interrupt_id"]) == (True, "")
    assert only(drawn(*start, ev.MessageReceived("iris")), "Question").props["open"] is False


def test_what_the_policy_approves_is_shown_closed() -> None:
    written = ev.CodeWritten(1, "c" * 64, "recipe", 12)
    passes: list[Event] = [
        ev.Decided("", "contract", "approve", "policy"),
        written,
        ev.Decided("", "code", "approve", "policy"),
    ]
    shown = drawn(*at_the_contract()[:-1], *passes)
    assert only(shown, "Contract").props["decided"]["by"] == "policy"
    assert only(shown, "Contract").props["payload"]["contract"]["target"] == "churn"
    assert only(shown, "Code").props["payload"]["code_hash"] == "c" * 64


def test_a_run_ends_in_its_card() -> None:
    training = only(drawn(*trained()), "Training")
    assert training.props["ended"]["outcome"] == "ok"
    assert training.props["models"] == 1


def test_a_run_that_a_crash_cut_off_is_closed_when_it_begins_anew() -> None:
    first, second = trained("r1")[:6], trained("r2")
    shown = drawn(*first, *second)
    runs = [card for card in shown.cards.values() if card.kind == "Training"]
    assert [card.props["ended"]["outcome"] for card in runs] == ["cut", "ok"]
    assert [curve["points"] for curve in shown.panel.snapshot()["curves"]] == [[(0, 0.6), (10, 0.4)]]


def test_stop_says_so_and_closes_the_run() -> None:
    shown = drawn(*trained()[:6], ev.Stopped("TRAIN"), ev.TurnEnded("stopped"))
    assert only(shown, "Training").props["ended"]["outcome"] == "cut"
    assert any("Stopped" in bubble.text for bubble in shown.bubbles.values())
    assert shown.panel.progress is None


def test_after_stop_the_stage_can_be_done_again_until_something_else_happens() -> None:
    stopped: list[Event] = [*trained()[:6], ev.Stopped("TRAIN"), ev.TurnEnded("stopped")]
    again = only(drawn(*stopped), "Stopped")
    assert (again.props["stage"], again.props["label"], again.props["open"]) == ("TRAIN", "Train", True)
    for later in (ev.Rewound("TRAIN"), ev.MessageReceived("predict age")):
        assert only(drawn(*stopped, later), "Stopped").props["open"] is False
    reading = drawn(ev.MessageReceived("predict churn"), ev.Stopped("DATA_SOURCE"))
    assert not [card for card in reading.cards.values() if card.kind == "Stopped"], "the upload cannot be read again"


def test_a_reason_for_rejecting_is_a_message_of_the_user() -> None:
    shown = drawn(*at_the_contract(), ev.Decided("i1", "contract", "reject", "user", "leave age out"))
    assert [bubble.text for bubble in shown.bubbles.values() if bubble.role == "user"][-1] == "leave age out"
    silent = drawn(*at_the_contract(), ev.Decided("i1", "contract", "reject", "user"))
    assert len([bubble for bubble in silent.bubbles.values() if bubble.role == "user"]) == 1


def test_a_gate_that_is_asked_again_is_open_once() -> None:
    again = ev.WaitingConfirmation("i2", "contract", "And now?", {"contract": CONTRACT, "problems": []})
    talk: list[Event] = [ev.MessageReceived("what can you do?"), ev.Answered("A lot.", "help"), again]
    shown = drawn(*at_the_contract(), *talk)
    assert [card.props["interrupt_id"] for card in shown.cards.values() if card.props.get("open")] == ["i2"]


def test_words_of_the_table_are_no_markup() -> None:
    summary = "I predict “![p](http://evil.example/q.png)”, <b>bold</b> :name."
    texts = [b.text for b in drawn(ev.PromptParsed({"kind": "model"}, summary)).bubbles.values()]
    assert texts == ["I predict “\\!\\[p\\](http:\u2060//evil.example/q.png)”, \\<b\\>bold\\</b\\> \\:name."]


def test_of_several_files_it_is_said_which_was_taken() -> None:
    said, *rest = at_the_contract()[1:3]
    shown = drawn(ev.MessageReceived("predict it", ("a_*b*.csv", "customers.csv")), said, *rest)
    text = next(bubble.text for bubble in shown.bubbles.values() if bubble.role == "assistant")
    assert "took **customers.csv** and left a\\_\\*b\\*.csv aside" in text
    one = drawn(*at_the_contract()[:3])
    assert [bubble.text for bubble in one.bubbles.values() if bubble.role == "assistant"] == [""]


def test_the_result_collects_what_belongs_to_it_once() -> None:
    twice = [event for event in reported()[:-2] if isinstance(event, ev.ArtifactAdded | ev.ChartReady)]
    shown = drawn(*a_whole_turn()[:-2], *twice, *reported()[-2:])
    result = only(shown, "Result")
    assert [file["name"] for file in result.props["files"]] == ["train.py", "bundle.zip"]
    assert [chart["name"] for chart in result.props["charts"]] == ["roc"]
    assert result.props["score"]["metric"]["value"] == 0.9
    assert result.props["verdict"]["verdict"] == "better"
    assert "Optimise recall" in result.props["ideas"]
    assert shown.bubbles[result.key].text == "ROC-AUC 0.90."


def test_a_failure_is_a_card_with_the_advice() -> None:
    shown = drawn(ev.MessageReceived("x"), ev.Failed("DATA_SOURCE", "user", "The file is empty.", "Attach another."))
    assert only(shown, "Failure").props["advice"] == "Attach another."
    assert shown.panel.stages["DATA_SOURCE"].status == "FAILED"


def test_only_what_was_missed_is_told() -> None:
    envelopes = log(a_whole_turn())
    shown = Projection(PROJECT, envelopes[:10])
    seen = shown.seq
    assert shown.changed(seen) == ([], [])
    shown.apply(envelopes[10])
    bubbles, cards = shown.changed(seen)
    assert (bubbles, [card.kind for card in cards]) == ([], ["Contract"])
