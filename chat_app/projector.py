"""Events in, conversation out: which messages and cards a project shows. Knows nothing of Chainlit or of browsers.

A message and a card have a key that follows from the event, so that drawing the same log twice gives the same ids;
every change carries the sequence number of its event, so that a tab can be told just what it has missed.
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from agents import events as ev
from agents.events import Envelope
from agents.llm.trouble import remedy
from agents.minds.vision import READ_OFF
from agents.state import Stage
from chat_app.meter import cost_of_answer
from chat_app.panel import LABELS, Panel
from chat_app.search_card import with_end, with_step
from tools.markdown import plain

CardKind = Literal[
    "Run",
    "Data",
    "Plan",
    "Contract",
    "Code",
    "Question",
    "Training",
    "Search",
    "Result",
    "Explanation",
    "Failure",
    "Stopped",
]
"""Each is drawn by the element of that name in chat_app/elements."""
GATES: Mapping[str, CardKind] = {
    "plan": "Plan",
    "contract": "Contract",
    "code": "Code",
    "blocked": "Code",
    "analysis": "Code",
    "question": "Question",
    "search": "Question",
    "script": "Code",
}
TRAINING_KINDS = ("model", "revise")
"""Requests whose understanding is worth a message of its own; any other is answered at once."""
PREVIEW = 40
"""Columns shown of a wide table."""
STOPPED = "Stopped. Everything that was finished is kept."


def drawn_id(project: str, key: str) -> str:
    """The id under which a browser knows a message or a card."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{project}/{key}"))


@dataclass
class Bubble:
    """One message of the conversation; cards hang on it."""

    key: str
    role: Literal["user", "assistant"]
    at: str
    seq: int
    text: str = ""
    files: tuple[str, ...] = ()


@dataclass
class Card:
    """One element below a message."""

    key: str
    kind: CardKind
    seq: int
    props: dict[str, Any] = field(default_factory=dict)


class Projection:
    """The conversation and the panel of one project, as of event `seq`."""

    def __init__(self, project: str, envelopes: Iterable[Envelope] = ()) -> None:
        self.project = project
        self.seq = 0
        self.bubbles: dict[str, Bubble] = {}
        self.cards: dict[str, Card] = {}
        self.panel = Panel(project)
        self._data: str | None = None
        self._attached: tuple[str, ...] = ()
        self._target: dict[str, str] | None = None
        self._asked: str | None = None
        self._plan: str | None = None
        self._reply: str | None = None
        self._troubles: dict[str, str] = {}
        self._contract: dict[str, Any] = {}
        self._code: dict[str, Any] = {}
        self._leaderboard: dict[str, Any] | None = None
        for envelope in envelopes:
            self.apply(envelope)

    def apply(self, envelope: Envelope) -> None:
        """Take one event into account; an event that was seen already changes nothing."""
        if envelope.seq <= self.seq:
            return
        self.seq = envelope.seq
        self.panel.apply(envelope)
        match envelope.event:
            case ev.MessageReceived(text=text, files=files):
                self._supersede(envelope)
                self._attached = tuple(files)
                self._troubles = {}
                self._say(f"user/{envelope.seq}", envelope, text, role="user", files=tuple(files))
            case ev.Decided() as decided:
                self._decided(decided, envelope)
            case ev.WaitingConfirmation() as waiting:
                self._waiting(waiting, envelope)
            case ev.PromptParsed(request=request, summary=summary) if request.get("kind") in TRAINING_KINDS:
                self._say(f"understood/{envelope.seq}", envelope, plain(summary))
            case ev.Asked(text=text, choices=choices):
                self._ask(text, choices, envelope)
            case ev.Answered(text=text, kind=kind, facts=facts):
                if kind == "analysis" and facts.get("charts"):
                    drawn = {"charts": [dict(one) for one in facts["charts"]], "features": [], "chosen": []}
                    self._show(f"answer/{envelope.seq}", "Explanation", envelope, about=kind, row=None, **drawn)
                self._answered(text, kind, envelope)
            case ev.Explained() as answer:
                key = f"explanation/{envelope.seq}"
                self._show(key, "Explanation", envelope, **{k: v for k, v in asdict(answer).items() if k != "text"})
                self._say(key, envelope, answer.text)
                self._reply = key
            case ev.Failed() as failed:
                self._show(f"failure/{envelope.seq}", "Failure", envelope, **asdict(failed))
            case ev.Stopped(stage=stage):
                self._close_runs(envelope)
                self._stopped(stage, envelope)
            case ev.Rewound():
                self._supersede(envelope)
            case ev.TurnEnded():
                self._close_runs(envelope)
                self._say_what_it_cost(envelope)
            case ev.ModelCalled() as call:
                self._called(call, envelope)
            case ev.PlanMade() | ev.StepChanged() as event:
                self._steps(event, envelope)
            case event:
                self._table(event, envelope)
                self._run(event, envelope)
                self._result(event, envelope)

    def changed(self, after_seq: int) -> tuple[list[Bubble], list[Card]]:
        """What is new or different since an event."""
        bubbles = [bubble for bubble in self.bubbles.values() if bubble.seq > after_seq]
        return bubbles, [card for card in self.cards.values() if card.seq > after_seq]

    def _say(
        self,
        key: str,
        envelope: Envelope,
        text: str,
        role: Literal["user", "assistant"] = "assistant",
        files: tuple[str, ...] = (),
    ) -> None:
        known = self.bubbles.get(key)
        at = known.at if known else envelope.at
        self.bubbles[key] = Bubble(key, role, at, envelope.seq, text, files or (known.files if known else ()))

    def _show(self, key: str, kind: CardKind, envelope: Envelope, **props: Any) -> None:
        """Make a card (with an empty message that carries it) or change some of its props."""
        if key not in self.bubbles:
            self._say(key, envelope, "")
        card = self.cards.setdefault(key, Card(key, kind, envelope.seq))
        card.props = {**card.props, **props}
        card.seq = envelope.seq

    def _supersede(self, envelope: Envelope) -> None:
        for card in self.cards.values():
            if card.props.get("open"):
                self._settle(card, envelope, "superseded", "user")

    def _settle(self, card: Card, envelope: Envelope, action: str, by: str, reason: str = "") -> None:
        decided = {"action": action, "by": by, "reason": reason, "at": envelope.at}
        card.props = {**card.props, "open": False, "decided": decided}
        card.seq = envelope.seq

    # Gates

    def _waiting(self, waiting: ev.WaitingConfirmation, envelope: Envelope) -> None:
        self._supersede(envelope)
        known = {"question": self._asked, "plan": self._plan}.get(waiting.gate)
        key = known or f"gate/{waiting.interrupt_id}"
        self._asked = None
        self._show(
            key,
            GATES[waiting.gate],
            envelope,
            interrupt_id=waiting.interrupt_id,
            gate=waiting.gate,
            title=waiting.title,
            payload=dict(waiting.payload),
            open=True,
            decided=None,
        )

    def _decided(self, decided: ev.Decided, envelope: Envelope) -> None:
        if decided.by == "policy":
            self._passed(decided, envelope)
            return
        for card in self.cards.values():
            if card.props.get("interrupt_id") == decided.interrupt_id:
                self._settle(card, envelope, decided.action, decided.by, decided.reason)
        if decided.reason and (decided.gate == "question" or decided.action == "reject"):
            self._say(f"user/{envelope.seq}", envelope, decided.reason, role="user")

    def _passed(self, decided: ev.Decided, envelope: Envelope) -> None:
        """The project does not ask at this gate: show what was approved, folded."""
        payload = {"contract": {"contract": self._contract, "problems": []}, "code": self._code}.get(decided.gate)
        if not payload:
            return
        key = f"passed/{envelope.seq}"
        self._show(key, GATES[decided.gate], envelope, gate=decided.gate, title="", interrupt_id="", payload=payload)
        self._settle(self.cards[key], envelope, decided.action, decided.by, decided.reason)

    def _ask(self, text: str, choices: tuple[str, ...], envelope: Envelope) -> None:
        """A question: when a gate follows it waits there, else the answer is simply the next message."""
        self._asked = f"asked/{envelope.seq}"
        payload = {"text": text, "choices": list(choices)}
        self._show(self._asked, "Question", envelope, interrupt_id="", gate="question", payload=payload, open=True)

    def _steps(self, event: ev.PlanMade | ev.StepChanged, envelope: Envelope) -> None:
        """One card for a plan, whoever changes it; its gate waits in the same card."""
        if isinstance(event, ev.PlanMade):
            if self._plan is None or event.by != "user":
                self._plan = f"plan/{envelope.seq}"
            steps = [dict(step) for step in event.steps]
            self._show(self._plan, "Plan", envelope, steps=steps, by=event.by, reason=event.reason)
        elif self._plan:
            told = {"status": event.status, "note": event.note}
            steps = [
                {**step, **told} if step["id"] == event.step else step for step in self.cards[self._plan].props["steps"]
            ]
            self._show(self._plan, "Plan", envelope, steps=steps)

    def _called(self, call: ev.ModelCalled, envelope: Envelope) -> None:
        """A model that does not answer is told once in a request, with what can be done about it."""
        key = next((key for key in self._troubles if key.endswith(f"/{call.endpoint}")), "")
        if call.outcome != "ok":
            key = key or f"model/{envelope.seq}/{call.endpoint}"
            self._troubles[key] = call.sentence
            self._say(key, envelope, f"{plain(call.sentence)} {remedy(call.outcome)}")
        elif key:
            self._say(key, envelope, f"{plain(self._troubles.pop(key))} When it was tried again it answered.")

    def _stopped(self, stage: Stage, envelope: Envelope) -> None:
        """Stop is no end: the stage can be done again, except reading a table that was not kept."""
        key = f"stopped/{envelope.seq}"
        self._say(key, envelope, STOPPED)
        if stage != "DATA_SOURCE":
            self._show(key, "Stopped", envelope, stage=stage, label=LABELS[stage], open=True)

    # Data, run, result

    def _table(self, event: ev.Event, envelope: Envelope) -> None:
        match event:
            case ev.DatasetSampleReady(name=name, rows=rows, columns=columns, head=head, account=account):
                self._data = f"data/{envelope.seq}"
                width = {"columns": [dict(one) for one in columns[:PREVIEW]], "column_count": len(columns)}
                shown = {"head": [list(row[:PREVIEW]) for row in head], "account": list(account)}
                self._show(self._data, "Data", envelope, name=name, rows=rows, **width, **shown)
                if len(self._attached) > 1:
                    self._say(self._data, envelope, _taken(name, self._attached))
                if account and account[0].startswith(READ_OFF):  # too grave for a fold
                    self._say(self._data, envelope, plain(account[0]))
                self._attached = ()
            case ev.ProfileSummary(quality=quality, warnings=warnings) if self._data:
                self._show(self._data, "Data", envelope, quality=quality, warnings=list(warnings))
            case ev.TargetDistributionReady(target=target, chart_hash=chart_hash) if self._data:
                self._show(self._data, "Data", envelope, target={"name": target, "chart_hash": chart_hash})
            case ev.PreprocessPlan(contract=contract):
                self._contract = dict(contract)
            case ev.CodeWritten(attempt=attempt, code_hash=code_hash, author=author, lines=lines):
                self._code = {"attempt": attempt, "code_hash": code_hash, "author": author, "lines": lines}
            case ev.CodeChecked(findings=findings):
                self._code = {**self._code, "findings": [dict(finding) for finding in findings]}

    def _run(self, event: ev.Event, envelope: Envelope) -> None:
        match event:
            case ev.RunStarted() as started if started.purpose == "train":
                self._close_runs(envelope)
                self._leaderboard = None
                shown = {"run": started.run, "purpose": started.purpose, "attempt": started.attempt}
                key = f"run/{started.run}/{envelope.seq}"
                self._show(key, "Training", envelope, **shown, isolation=started.isolation, ended=None)
            case ev.Leaderboard(metric=metric, rows=rows, verified=verified):
                self._leaderboard = {"metric": metric, "rows": [dict(row) for row in rows], "verified": verified}
            case ev.RunEnded() as ended:
                for card in self._runs():
                    if card.props["run"] == ended.run:
                        models = len(self._leaderboard["rows"]) if self._leaderboard else 0
                        self._show(card.key, "Training", envelope, ended=asdict(ended), models=models)
            case ev.SearchStep() as step:
                known = self.cards.get(f"search/{step.attempt}")
                self._show(
                    f"search/{step.attempt}", "Search", envelope, **with_step(known.props if known else {}, step)
                )
            case ev.SearchEnded() as end if f"search/{end.attempt}" in self.cards:
                self._show(f"search/{end.attempt}", "Search", envelope, **with_end(end))

    def _runs(self) -> list[Card]:
        return [card for card in self.cards.values() if card.kind == "Training" and not card.props["ended"]]

    def _close_runs(self, envelope: Envelope) -> None:
        """A run without an end was cut off (stopped, or the server died and it began anew)."""
        for card in self._runs():
            cut = {"outcome": "cut", "message": "This run was cut off.", "seconds": 0.0, "peak_memory_mb": 0.0}
            self._show(card.key, "Training", envelope, ended=cut)

    def _result(self, event: ev.Event, envelope: Envelope) -> None:
        match event:
            case ev.Scored(attempt=attempt, score=score, looks=looks):
                empty: dict[str, Any] = {"audit": [], "charts": [], "files": [], "verdict": None}
                board = {"leaderboard": self._leaderboard}
                self._show(
                    f"result/{attempt}", "Result", envelope, **empty, **board, attempt=attempt, score=score, looks=looks
                )
            case ev.Audited(attempt=attempt, probes=probes):
                self._add_to_result(attempt, envelope, audit=[dict(probe) for probe in probes])
            case ev.Reviewed(attempt=attempt, verdict=verdict, text=text, remarks=remarks):
                said = {"verdict": verdict, "text": text} | ({"remarks": list(remarks)} if remarks else {})
                self._add_to_result(attempt, envelope, verdict=said)
            case ev.ChartReady() as chart:
                self._append_to_result(chart.attempt, envelope, "charts", asdict(chart))
            case ev.ArtifactAdded() as file:
                self._append_to_result(file.attempt, envelope, "files", asdict(file))

    def _add_to_result(self, attempt: int, envelope: Envelope, **props: Any) -> None:
        if f"result/{attempt}" in self.cards:
            self._show(f"result/{attempt}", "Result", envelope, **props)

    def _append_to_result(self, attempt: int, envelope: Envelope, name: str, item: dict[str, Any]) -> None:
        card = self.cards.get(f"result/{attempt}")
        if card is None:
            return
        others = [one for one in card.props[name] if one["name"] != item["name"]]
        self._show(card.key, "Result", envelope, **{name: [*others, item]})

    def _answered(self, text: str, kind: str, envelope: Envelope) -> None:
        results = [card.key for card in self.cards.values() if card.kind == "Result"]
        if kind == "result" and results:
            self._show(results[-1], "Result", envelope, ideas=_ideas(self._contract))
            self._reply = results[-1]
        else:
            self._reply = f"answer/{envelope.seq}"
        self._say(self._reply, envelope, text)

    def _say_what_it_cost(self, envelope: Envelope) -> None:
        """Below the answer of this request, where a language model was asked for it."""
        cost = cost_of_answer(self.panel.meter.turn, self.panel.meter.estimated)
        if cost and self._reply:
            self._say(self._reply, envelope, f"{self.bubbles[self._reply].text}\n\n*{cost}*")
        self._reply = None


def _taken(name: str, attached: tuple[str, ...]) -> str:
    """One table at a time; which one must not be hidden in a fold."""
    others = [plain(one) for one in attached if one != name]
    rest = f" and left {', '.join(others)} aside" if others else ""
    return f"You attached {len(attached)} files. I work with one table at a time and took **{plain(name)}**{rest}."


def _ideas(contract: Mapping[str, Any]) -> list[str]:
    """What people ask for next; each is understood as it stands when typed."""
    minutes = max(2, round(2 * contract.get("budget_seconds", 60.0) / 60))
    other = ["Optimise recall"] if contract.get("task") == "binary" else []
    return ["Why?", "Explain the model", *other, f"Give it {minutes} minutes", "Predict new rows", "Describe the table"]
