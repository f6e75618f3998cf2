"""Everything that can happen in a project: one closed union of frozen dataclasses, and the envelope they travel in.

The append-only log of envelopes is the truth that every door renders. Events hold what a person may see; large things
(scripts, charts, tables) are files of the project named by their SHA-256.
"""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

from agents.state import Actor, CodeAuthor, Culprit, Gate, Stage, Status


@dataclass(frozen=True)
class MessageReceived:
    """The user said something (a new request, a follow-up, or the answer to a question)."""

    text: str
    files: tuple[str, ...] = ()
    """Names only."""


@dataclass(frozen=True)
class StageStatus:
    """A stage has changed its status."""

    stage: Stage
    status: Status
    detail: str = ""


@dataclass(frozen=True)
class WaitingConfirmation:
    """The graph stands at a gate until a person decides."""

    interrupt_id: str
    gate: Gate
    title: str
    payload: Mapping[str, Any]
    """contract: {contract, problems, proposals, models, profile_hash, runs_in}; code: {code, code_hash, author,
    attempt, findings, effects, diff, runs_in}; blocked: as code; question: {text, choices, field};
    plan: {steps, by, most_steps}.
    """


@dataclass(frozen=True)
class Decided:
    """A person (or the project's policy) has decided at a gate."""

    interrupt_id: str
    gate: Gate
    action: str
    by: str
    """"user", or "policy" when the project does not ask at this gate."""
    reason: str = ""


@dataclass(frozen=True)
class PromptParsed:
    """The sentence was understood; `request` is `Request` as JSON."""

    request: Mapping[str, Any]
    summary: str
    """One sentence: what will be done, with the assumptions."""


@dataclass(frozen=True)
class PlanMade:
    """A message of several requests became a plan, or the user has changed it; the last list counts."""

    steps: tuple[Mapping[str, Any], ...]
    """Each `Step` of agents/plan.py as JSON: {id, text, kind, depends_on, status, note}."""
    by: str
    """"expert", "user", or the model that was asked."""
    reason: str = ""
    """In one sentence, where a model gave one."""


@dataclass(frozen=True)
class StepChanged:
    """A step of the plan has begun or ended."""

    step: str
    """Its id."""
    status: Literal["waiting", "running", "done", "failed", "skipped"]
    text: str
    number: int
    """From 1, as the plan lists it."""
    of: int
    note: str = ""
    """What came of it, in one sentence."""


@dataclass(frozen=True)
class DatasetSampleReady:
    """The table was read; first rows for a preview, and the account of what was repaired or rejected."""

    name: str
    dataset_id: str
    rows: int
    columns: tuple[Mapping[str, str], ...]
    """Each {name, type}."""
    head: tuple[tuple[str, ...], ...]
    """At most 20 rows as text."""
    account: tuple[str, ...]
    """One sentence each; empty: nothing had to be repaired."""


@dataclass(frozen=True)
class ProfileSummary:
    """The table was described; the whole profile is the file `profile_hash`."""

    profile_hash: str
    rows: int
    columns: int
    quality: float
    """0 to 100."""
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class TargetDistributionReady:
    """The target was looked at; `chart_hash` is a Vega-Lite specification."""

    target: str
    chart_hash: str


@dataclass(frozen=True)
class PreprocessPlan:
    """The contract was drafted or changed; `contract` is `Contract` as JSON."""

    contract: Mapping[str, Any]
    contract_hash: str


@dataclass(frozen=True)
class ModelCandidates:
    """The estimators that will be compared, and by which metric."""

    candidates: tuple[str, ...]
    metric: str


@dataclass(frozen=True)
class CodeWritten:
    """A training script exists; its text is the file `code_hash`."""

    attempt: int
    code_hash: str
    author: CodeAuthor
    lines: int
    note: str = ""


@dataclass(frozen=True)
class CodeChecked:
    """The critic has read the script; findings are `Finding` as JSON."""

    attempt: int
    code_hash: str
    findings: tuple[Mapping[str, Any], ...]
    blocked: bool


@dataclass(frozen=True)
class RunStarted:
    """A sandbox run has begun. Curves of an earlier `run` of the same attempt and purpose are void."""

    attempt: int
    run: str
    purpose: Literal["train", "score", "audit"]
    isolation: str
    limits: Mapping[str, float]


@dataclass(frozen=True)
class RunLog:
    """Text that a script wrote."""

    run: str
    stream: Literal["stdout", "stderr"]
    text: str


@dataclass(frozen=True)
class MetricScalar:
    """One live point, reported by the script while it works: for the chart, never for the report."""

    run: str
    model: str
    name: str
    value: float
    step: int
    fold: int
    seconds: float


@dataclass(frozen=True)
class Progress:
    """Real work done, as reported by the script."""

    run: str
    done: int
    total: int
    text: str


@dataclass(frozen=True)
class Leaderboard:
    """Candidates by cross-validated score; `verified` is False when the script is not our unmodified recipe."""

    run: str
    metric: str
    rows: tuple[Mapping[str, Any], ...]
    """Each {model, cv_score, seconds}."""
    verified: bool


@dataclass(frozen=True)
class RunEnded:
    """A sandbox run has ended, well or badly; `message` is one sentence."""

    run: str
    outcome: str
    message: str
    seconds: float
    peak_memory_mb: float
    kept: bool = False
    """It was ended before its own end, and the model that it had saved by then is used."""


@dataclass(frozen=True)
class Scored:
    """The trusted scorer has judged the sealed rows; `score` is `Score` of tools/score.py as JSON."""

    attempt: int
    score: Mapping[str, Any]
    looks: int
    """How often the sealed rows of this seal have been scored, this one included."""


@dataclass(frozen=True)
class Audited:
    """The probes have run; each {probe, passed, detail}."""

    attempt: int
    probes: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Reviewed:
    """The critic's verdict in words, with the evidence."""

    attempt: int
    verdict: str
    text: str
    remarks: tuple[Mapping[str, Any], ...] = ()
    """Of a language model, each {figure, kind, sentence, by}; they take nothing of the verdict away."""


@dataclass(frozen=True)
class ChartReady:
    """A chart exists as one Vega-Lite specification (file `spec_hash`)."""

    attempt: int
    name: str
    title: str
    spec_hash: str
    alt: str
    """The chart in one sentence, for those who cannot see it."""


@dataclass(frozen=True)
class ArtifactAdded:
    """A file can be downloaded; `path` is relative to the project's artifact folder of the attempt."""

    attempt: int
    name: str
    kind: Literal["report", "code", "chart", "notebook", "model", "bundle", "data"]
    bytes: int
    sha256: str


@dataclass(frozen=True)
class NotebookReady:
    """The notebook of this attempt can be downloaded."""

    attempt: int
    name: str


@dataclass(frozen=True)
class Answered:
    """The reply in words (Markdown), with the facts it rests on."""

    text: str
    kind: Literal["result", "why", "profile", "help", "unsupported", "notice", "predictions", "analysis", "plan"]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Explained:
    """A finished model was asked what it relies on; the answer in words, with charts, as one card."""

    attempt: int
    about: Literal["row", "change", "column", "model"]
    text: str
    """Markdown."""
    row: int | None
    """Of the table, from 1."""
    charts: tuple[Mapping[str, str], ...]
    """Each {name, title, spec_hash, alt}."""
    features: tuple[str, ...] = ()
    """The columns that may be chosen to change; empty where that is not the question."""
    chosen: tuple[str, ...] = ()
    """Those that were."""


@dataclass(frozen=True)
class Asked:
    """One question to the user."""

    text: str
    choices: tuple[str, ...]


@dataclass(frozen=True)
class ModelCalled:
    """A language model was asked: what left for it, what came of it, what it cost."""

    role: str
    endpoint: str
    """Model and host."""
    outcome: str
    """"ok", or the kind of trouble (agents/llm/trouble.py)."""
    sentence: str
    seconds: float
    tokens_in: int
    tokens_out: int
    cost: float
    """In the unit of the configured prices."""
    bytes_out: int
    """Length of the question as it left."""
    estimated: bool = False
    """The server counted no tokens; the figures are ours."""
    columns: int = 0
    """Columns of the table that the question names."""
    rows: int = 0
    """Rows of the table in it; 0 unless the egress mode is “sample”."""
    masked: tuple[str, ...] = ()
    """Kinds of personal data that were masked before it left."""
    mode: str = ""
    """How the form of the answer was asked for."""
    pictures: int = 0
    """Pictures in it, each whole."""


@dataclass(frozen=True)
class SearchStep:
    """A script of the improvement search is tried, or has come to its end; what is told last of a `node` holds."""

    attempt: int
    node: int
    """0: the recipe, the others in the order in which they were written."""
    parent: int | None
    """The node whose script was changed into this one; None for the recipe."""
    kind: Literal["recipe", "draft", "debug", "improve"]
    code_hash: str
    """The script, a file of the project."""
    status: Literal["running", "scored", "failed", "blocked", "refused"]
    """blocked: the critic objects; refused: the user said no to this script."""
    idea: str
    """What its author, a language model, says that it changes; "" for the recipe."""
    sentence: str
    """What came of it."""
    metric: str
    value: float | None = None
    """On training rows that the script did not have; computed here. None while there is none."""
    ci_low: float | None = None
    ci_high: float | None = None
    gain: float | None = None
    """Against the recipe on the same rows, paired; positive: better."""
    gain_low: float | None = None
    gain_high: float | None = None
    best: bool = False
    """No script that was tried so far does better on these rows."""
    seconds: float = 0.0


@dataclass(frozen=True)
class SearchEnded:
    """The improvement search is over."""

    attempt: int
    chosen: int
    """The node whose script makes the result; 0: the recipe stands."""
    candidate: int
    """The node that was compared with the recipe on the sealed rows; 0: none was, so no look was spent."""
    sentence: str
    tried: int
    """Scripts of the model that were run or refused."""
    looks: int
    """How often the sealed rows have been scored, those of the comparison included; 0: the search looked at none."""
    gain: float | None = None
    """Of the candidate against the recipe on the sealed rows, paired; positive: better."""
    gain_low: float | None = None
    gain_high: float | None = None


@dataclass(frozen=True)
class Failed:
    """The turn cannot go on; one sentence what happened, one what can be done."""

    stage: Stage
    culprit: Culprit
    sentence: str
    advice: str = ""


@dataclass(frozen=True)
class Stopped:
    """The user stopped the turn; everything finished so far is kept."""

    stage: Stage


@dataclass(frozen=True)
class Rewound:
    """The project went back to a stage; later stages are pending again, the old branch is kept."""

    stage: Stage


@dataclass(frozen=True)
class TurnEnded:
    """Nothing more happens until the user speaks."""

    outcome: Literal["done", "failed", "stopped", "rejected"]


Event = (
    MessageReceived
    | StageStatus
    | WaitingConfirmation
    | Decided
    | PromptParsed
    | PlanMade
    | StepChanged
    | DatasetSampleReady
    | ProfileSummary
    | TargetDistributionReady
    | PreprocessPlan
    | ModelCandidates
    | CodeWritten
    | CodeChecked
    | RunStarted
    | RunLog
    | MetricScalar
    | Progress
    | Leaderboard
    | RunEnded
    | Scored
    | Audited
    | Reviewed
    | ChartReady
    | ArtifactAdded
    | NotebookReady
    | Answered
    | Explained
    | Asked
    | ModelCalled
    | SearchStep
    | SearchEnded
    | Failed
    | Stopped
    | Rewound
    | TurnEnded
)


def event_type(kind: type[Any]) -> str:
    """`WaitingConfirmation` -> "WAITING_CONFIRMATION": the name on the wire."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).upper()


EVENT_TYPES: dict[str, type[Any]] = {event_type(kind): kind for kind in get_args(Event)}


@dataclass(frozen=True)
class Envelope:
    """One event as stored and sent. `seq` grows by one within a project; `id` makes a repeated append harmless."""

    VERSION: ClassVar[int] = 1

    id: str
    project: str
    seq: int
    at: str
    """UTC, ISO 8601 with microseconds."""
    type: str
    stage: Stage | None
    actor: Actor
    payload: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The wire form `{v, id, project, seq, at, type, stage, actor, payload}`."""
        return {"v": self.VERSION, **dataclasses.asdict(self)}

    @property
    def event(self) -> Event:
        """The typed event again. Fields that a newer version added are ignored."""
        kind = EVENT_TYPES[self.type]
        known = {item.name for item in dataclasses.fields(kind)}
        return kind(**{name: value for name, value in self.payload.items() if name in known})  # type: ignore[no-any-return]  # the union is closed


def payload_of(event: Event) -> dict[str, Any]:
    """The event's fields as JSON-ready values."""
    return dataclasses.asdict(event)
