"""The event log on a terminal: a live picture where there is one, plain lines in a pipe; the same words in both."""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markdown import Markdown
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from agents import events as happened
from agents.events import Envelope, Event
from agents.llm.trouble import remedy
from agents.state import Stage
from chat_app.plan_lines import changed_line, plan_lines
from chat_app.printable import amount, printable
from tools.ingest.errors import counted
from tools.markdown import read_aloud
from tools.metrics import METRICS
from tools.model_words import remark_line
from tools.probes.self_test import NAME as SELF_TEST

STAGE_TITLES: dict[Stage, str] = {
    "DATA_SOURCE": "data",
    "PARSE_INTENT": "request",
    "PROFILE_DATA": "profile",
    "PREPROCESS": "contract",
    "MODEL_SELECT": "models",
    "TRAIN": "train",
    "REVIEW_EDIT": "review",
    "EXPORT": "export",
}
STAGE_DOING: dict[Stage, str] = {
    "DATA_SOURCE": "Reading the table",
    "PARSE_INTENT": "Understanding the request",
    "PROFILE_DATA": "Describing the table",
    "PREPROCESS": "Drafting the contract",
    "MODEL_SELECT": "Choosing candidates",
    "TRAIN": "Training in the sandbox",
    "REVIEW_EDIT": "Judging the result",
    "EXPORT": "Writing the files",
}
RUN_DOING = {
    "train": "Training in the sandbox",
    "score": "Predicting the sealed rows in a second sandbox run",
    "audit": "Probing the result",
}
AUTHORS = {"recipe": "from the recipe", "model": "written by the model", "user": "yours"}
SPARKS = "▁▂▃▄▅▆▇█"
SPARK_WIDTH = 24
MAX_LOG_CHARACTERS = 400


def metric_title(name: str) -> str:
    """The metric's name for people; a name that only a script knows stays as it is."""
    known = METRICS.get(name)
    return known.label if known else printable(name).replace("_", " ")


def lines_of(event: Event) -> list[str]:
    """What a milestone says, a first line and details; [] for what is only live or said elsewhere."""
    match event:
        case happened.DatasetSampleReady():
            return [
                f"Read {event.name}: {counted(event.rows, 'row')}, {counted(len(event.columns), 'column')}.",
                *event.account,
            ]
        case happened.PromptParsed():
            return [event.summary]
        case happened.PlanMade():
            return plan_lines(event)
        case happened.StepChanged():
            return [changed_line(event)]
        case happened.ModelCalled():
            return _called(event)
        case happened.ProfileSummary():
            return [f"The table's quality is {event.quality:.0f} of 100.", *event.warnings]
        case happened.PreprocessPlan():
            return [contract_sentence(event.contract)]
        case happened.StageStatus(stage="PREPROCESS", status="COMPLETED", detail=detail) if detail:
            return [f"{_capital(detail)}."]
        case happened.CodeWritten():
            note = f": {event.note}" if event.note else "."
            return [f"Training script of {counted(event.lines, 'line')}, {AUTHORS[event.author]}{note}"]
        case happened.CodeChecked():
            return _checked(event)
        case happened.SearchStep() if event.status != "running":
            return _searched(event)
        case happened.SearchEnded():
            return [event.sentence]
        case happened.RunStarted():
            return [f"{RUN_DOING[event.purpose]} ({event.isolation})."]
        case happened.RunEnded() if event.outcome != "ok":
            return [event.message]
        case happened.Leaderboard():
            return _leaderboard(event)
        case happened.Audited():
            return _audited(event)
        case happened.Reviewed():
            return [event.text, *(f"{one['by']} remarks: {remark_line(one)}" for one in event.remarks)]
        case happened.Decided(by="policy", reason=reason) if reason:
            return [_capital(reason).replace("in advance", "in advance by --yes", 1)]
        case happened.Decided() if event.by == "user":
            return [f"You said: {event.action}{f' ({event.reason})' if event.reason else ''}."]
        case happened.Stopped():
            return ["Stopped."]
        case _:
            return []


def _called(event: happened.ModelCalled) -> list[str]:
    about = "about " if event.estimated else ""
    tokens = f"{about}{counted(event.tokens_in + event.tokens_out, 'token')}"
    said = f"{event.sentence} ({tokens}, {event.seconds:.1f} s)"
    return [said] if event.outcome == "ok" else [said, remedy(event.outcome)]


def _searched(event: happened.SearchStep) -> list[str]:
    """One script of the improvement search."""
    if event.node == 0:
        return [f"Improvement search, the recipe: {event.sentence}"]
    made = {"draft": "a draft from", "debug": "a repair of", "improve": "an improvement of"}[event.kind]
    of = f"script {event.parent}" if event.parent else "the recipe"
    ahead = ", ahead of all others" if event.best else ""
    return [f"Script {event.node}, {made} {of}{ahead}: {event.sentence}", event.idea]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def contract_sentence(contract: Mapping[str, Any]) -> str:
    """The contract in one line, for those who are not asked about it."""
    features = sum(1 for column in contract["columns"] if column["use"])
    share = contract["split"]["holdout_fraction"]
    return (
        f"Predict {contract['target']} ({contract['task']}) from {counted(features, 'column')}, judged by "
        f"{metric_title(contract['metric'])} on {share:.0%} sealed rows ({contract['split']['rule']} split), "
        f"within {contract['budget_seconds']:.0f} s{_for_the_search(contract)}."
    )


def _for_the_search(contract: Mapping[str, Any]) -> str:
    """What was added for a better script."""
    more = contract.get("improve_seconds")
    return f" and up to {more:.0f} s more for a better script" if more else ""


def _checked(event: happened.CodeChecked) -> list[str]:
    if not event.findings:
        return ["The script was checked: nothing found."]
    verdict = "it must not run unasked" if event.blocked else "none forbids to run it"
    worst = [finding for finding in event.findings if finding["blocks"]]
    if any(finding.get("severity") == "security" or finding.get("source") == "syntax" for finding in worst):
        verdict = "it must not run like this"
    first = f"The script was checked: {counted(len(event.findings), 'finding')}, {verdict}."
    return [first, *(f"line {finding['line']}: {finding['sentence']}" for finding in worst)]


def _leaderboard(event: happened.Leaderboard) -> list[str]:
    claim = "" if event.verified else " (as the script claims)"
    rows = [f"{row['model']}  {candidate_score(row)}  {row['seconds']:.1f} s" for row in event.rows]
    return [f"Leaderboard by cross-validated {metric_title(event.metric)}{claim}:", *rows]


def candidate_score(row: Mapping[str, Any]) -> str:
    """The cross-validated score, or what an unverified script claims it to be."""
    score = row.get("cv_score")
    value = row.get("claimed_cv_score") if score is None else score
    return "no score yet" if value is None else amount(value)


def _audited(event: happened.Audited) -> list[str]:
    passed = sum(1 for probe in event.probes if probe["passed"])
    failed = [line for probe in event.probes if not probe["passed"] for line in _finding(probe)]
    tested = [probe["detail"] for probe in event.probes if probe["probe"] == SELF_TEST and probe["passed"]]
    return [f"Audit: {passed} of {len(event.probes)} probes passed.", *failed, *tested]


def _finding(probe: Mapping[str, Any]) -> list[str]:
    """What was seen, what it would mean in use, and how to run again without it."""
    seen = " ".join([f"{probe['probe']}: {probe['detail']}", probe.get("in_use", "")]).strip()
    repair = probe.get("repair")
    return [seen, f"To repair it, run again with {repair['flag']}"] if repair else [seen]


class Screen(Protocol):
    """A terminal or a pipe, drawing the log as it grows."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, envelope: Envelope) -> None:
        """Draw one event."""
        ...

    def still(self) -> Any:
        """A context in which nothing moves, so that a question can be asked."""
        ...


def open_screen(console: Console, budget_seconds: float | None = None) -> Screen:
    """The right screen for where the output goes."""
    return LiveScreen(console, budget_seconds) if console.is_terminal else PlainScreen(console)


@dataclass
class PlainScreen:
    """One line per event with the time since the start: for pipes, files and CI."""

    console: Console
    _start: datetime.datetime | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @contextmanager
    def still(self) -> Iterator[None]:
        """Nothing moves here anyway."""
        yield

    def show(self, envelope: Envelope) -> None:
        """Write the event's lines, if it has any."""
        event = envelope.event
        match event:
            case happened.Answered() | happened.Explained():
                self._write(envelope, read_aloud(event.text))
            case happened.StageStatus(status="IN_PROGRESS", detail=detail) if detail:
                self._write(envelope, f"{_capital(detail)} …")
            case happened.Progress():
                self._write(envelope, f"{event.text} ({event.done} of {event.total})")
            case happened.RunLog():
                self._write(envelope, event.text.rstrip("\n"))
            case _:
                lines = lines_of(event)
                self._write(envelope, "\n  ".join(lines))

    def _write(self, envelope: Envelope, text: str) -> None:
        if not text:
            return
        at = datetime.datetime.fromisoformat(envelope.at)
        self._start = self._start or at
        seconds = (at - self._start).total_seconds()
        title = STAGE_TITLES[envelope.stage] if envelope.stage else ""
        for line in filter(None, printable(text).split("\n")):
            self.console.print(f"{seconds:7.1f}s  {title:8}  {line}", markup=False, highlight=False, soft_wrap=True)


@dataclass
class Curve:
    """What one candidate has reported so far in the run on screen."""

    name: str
    fold: int
    values: list[float] = field(default_factory=list)

    def add(self, point: happened.MetricScalar) -> None:
        """A point of another fold begins a new curve."""
        if point.fold != self.fold or point.name != self.name:
            self.fold, self.name, self.values = point.fold, point.name, []
        self.values.append(point.value)


class LiveScreen:
    """Milestones scroll up; below them a region shows what the running script reports, and nothing else."""

    def __init__(self, console: Console, budget_seconds: float | None = None) -> None:
        self.console = console
        self._budget = budget_seconds
        self._doing = "Starting"
        self._since = console.get_time()
        self._progress: happened.Progress | None = None
        self._curves: dict[str, Curve] = {}
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(
            get_renderable=self._region, console=console, refresh_per_second=8, transient=True, vertical_overflow="crop"
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    @contextmanager
    def still(self) -> Iterator[None]:
        """The region disappears and comes back afterwards."""
        self._live.stop()
        try:
            yield
        finally:
            self._live.start()

    def show(self, envelope: Envelope) -> None:
        """Update the region, or write a milestone above it."""
        event = envelope.event
        match event:
            case happened.StageStatus(status="IN_PROGRESS"):
                self._begin(_capital(event.detail) or STAGE_DOING[event.stage])
            case happened.RunStarted():
                self._begin(RUN_DOING[event.purpose])
            case happened.Progress():
                self._progress = event
            case happened.MetricScalar():
                self._curves.setdefault(event.model, Curve(event.name, event.fold)).add(event)
            case happened.RunLog():
                self._log(event)
            case happened.Leaderboard():
                self.console.print(leaderboard_table(event))
            case happened.Answered() | happened.Explained():
                self.console.print(Markdown(printable(event.text)))
            case _:
                self._milestone(event)

    def _begin(self, doing: str) -> None:
        if doing != self._doing:
            self._doing, self._since = doing, self.console.get_time()
        self._progress, self._curves = None, {}

    def _milestone(self, event: Event) -> None:
        first, *details = lines_of(event) or [""]
        if not first:
            return
        failed = isinstance(event, happened.RunEnded) and not event.kept
        wrong = failed or (isinstance(event, happened.CodeChecked) and event.blocked)
        wrong = wrong or (isinstance(event, happened.ModelCalled) and event.outcome != "ok")
        mark = Text("✗ ", style="red") if wrong else Text("✓ ", style="green")
        self.console.print(_hanging(mark, Text(printable(first))))
        for detail in details:
            self.console.print(_hanging(Text("  · ", style="dim"), Text(printable(detail), style="dim")))

    def _log(self, event: happened.RunLog) -> None:
        text = printable(event.text.rstrip("\n"))
        if len(text) > MAX_LOG_CHARACTERS:
            text = text[:MAX_LOG_CHARACTERS] + " …"
        if text:
            self.console.print(_hanging(Text("  │ ", style="dim"), Text(text, style="dim")))

    def _region(self) -> RenderableType:
        seconds = self.console.get_time() - self._since
        self._spinner.update(text=Text.assemble(f"{self._doing} ", (f"{seconds:.0f} s", "dim")))
        parts: list[RenderableType] = [self._spinner]
        if self._progress:
            parts.append(_bar(self._progress))
        if self._curves:
            parts.append(_curves(self._curves))
        return Group(*parts)


def show_facts(console: Console, facts: Sequence[tuple[str, str]]) -> None:
    """Names and texts side by side."""
    width = max(len(name) for name, _ in facts)
    for name, text in facts:
        show_fact(console, Text(), f"{name:{width}}  ", text)


def show_fact(console: Console, mark: Text, name: str, text: str) -> None:
    """A text wrapped beside its name on a terminal, in one line in a pipe."""
    head = Text.assemble(mark, (name, "bold"))
    if console.is_terminal:
        console.print(_hanging(head, Text(printable(text))))
    else:
        console.print(Text.assemble(head, printable(text)), soft_wrap=True)


def _hanging(mark: Text, body: Text) -> Table:
    """A mark and a paragraph that wraps beside it, not under it."""
    grid = Table.grid(padding=0)
    grid.add_column(width=mark.cell_len, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(mark, body)
    return grid


def _bar(progress: happened.Progress) -> Table:
    grid = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=max(progress.total, 1), completed=progress.done, width=24)
    grid.add_row(" ", bar, f"{progress.done} of {progress.total}", Text(printable(progress.text), style="dim"))
    return grid


def _curves(curves: dict[str, Curve]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for model, curve in list(curves.items())[-8:]:
        grid.add_row(
            " ",
            Text(printable(model), style="bold"),
            f"{metric_title(curve.name)} {amount(curve.values[-1])}",
            Text(spark(curve.values), style="cyan"),
            Text(f"fold {curve.fold + 1}", style="dim"),
        )
    return grid


def spark(values: list[float]) -> str:
    """The last values as one line of blocks, lowest to highest."""
    shown = [value for value in values if value == value][-SPARK_WIDTH:]
    if len(shown) < 2:
        return ""
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0
    return "".join(SPARKS[min(int((value - low) / span * len(SPARKS)), len(SPARKS) - 1)] for value in shown)


def leaderboard_table(event: happened.Leaderboard) -> Table:
    """Candidates by cross-validated score."""
    claim = "" if event.verified else ", as the script claims"
    table = Table(title=f"Leaderboard (cross-validated{claim})", title_justify="left", box=None, padding=(0, 2))
    table.add_column("model")
    table.add_column(metric_title(event.metric), justify="right")
    table.add_column("seconds", justify="right")
    for row in event.rows:
        table.add_row(Text(printable(str(row["model"]))), candidate_score(row), f"{row['seconds']:.1f}")
    return table
