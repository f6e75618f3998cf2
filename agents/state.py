"""What the graph remembers: small JSON and hashes of files in the project's vault, never a table, never a blob."""

from typing import Any, Literal, TypedDict

from pydantic import BaseModel, ConfigDict

from tools.lint import Finding as Finding
from tools.lint import Review as Review

Stage = Literal[
    "DATA_SOURCE",
    "PARSE_INTENT",
    "PROFILE_DATA",
    "PREPROCESS",
    "MODEL_SELECT",
    "TRAIN",
    "REVIEW_EDIT",
    "EXPORT",
]
STAGES: tuple[Stage, ...] = (
    "DATA_SOURCE",
    "PROFILE_DATA",
    "PARSE_INTENT",
    "PREPROCESS",
    "MODEL_SELECT",
    "TRAIN",
    "REVIEW_EDIT",
    "EXPORT",
)
"""As they happen: a sentence is understood with the table's values at hand, so the profile comes before it."""
Status = Literal["PENDING", "IN_PROGRESS", "WAITING_CONFIRMATION", "COMPLETED", "SKIPPED", "FAILED"]
Actor = Literal[
    "user",
    "supervisor",
    "parser",
    "data_scientist",
    "code_generator",
    "critic",
    "human",
    "runner",
    "reporter",
    "system",
]
Culprit = Literal["user", "script", "sandbox", "product"]
RequestKind = Literal[
    "model", "revise", "why", "explain", "profile", "help", "unsupported", "predict", "prepare", "analyse"
]


CodeAuthor = Literal["recipe", "model", "user"]
TurnOutcome = Literal["done", "failed", "rejected"]
Gate = Literal["contract", "code", "question", "blocked", "plan", "search", "script", "analysis"]
"""contract: gate 1; code: gate 2; question: one question with choices; blocked: three tries did not pass the critic;
plan: a message of several requests, in which order they are done;
search: may a model's scripts be tried; script: may this one of them; analysis: may this script answer a question."""


class Pending(TypedDict):
    """The gate at which the graph has to stop."""

    gate: Gate
    title: str


class Scoring(TypedDict):
    """One scored attempt: which rows, and where its predictions lie."""

    attempt: int
    sealed: str
    metric: str
    predictions: str


class Failure(TypedDict):
    """Why the turn cannot go on: one sentence what was seen, one what would work."""

    stage: Stage
    culprit: Culprit
    sentence: str
    advice: str


class Explain(BaseModel):
    """What of a finished model is to be explained."""

    model_config = ConfigDict(frozen=True)

    about: Literal["row", "change", "column", "model"]
    """row: why this answer; change: what would change it; column: how it influences; model: all in all."""
    row: int | None = None
    """Of the table, from 1; None: the one that was talked about, or the one that `who` names."""
    who: tuple[str, ...] = ()
    """Words that may be the id of the row."""
    columns: tuple[str, ...] = ()
    """column: the one that is asked about; change: the only ones that may change (none: all that can)."""
    wanted: str | None = None
    """change: the class or number that the answer should be."""


class Request(BaseModel):
    """What the user wants, as understood: only what was said is filled, the rest is left to the data scientist."""

    model_config = ConfigDict(frozen=True)

    kind: RequestKind
    """model: train something; revise: the earlier request with changes; why: explain the last result;
    explain: a row, a change, a column or the model of the last result (see `explain`);
    predict: rows by the last model; profile: describe the data; prepare: say how a model's script prepares the columns;
    analyse: a question about the data or a chart, for a script of its own (`reply`: what is said where nobody can write
    one); help: what can you do; unsupported: something we cannot do (see `reply`)."""
    text: str
    """The user's own words."""
    target: str | None = None
    task: Literal["binary", "multiclass", "regression", "classification"] | None = None
    """classification: classes, however many there are."""
    positive_class: str | None = None
    include: tuple[str, ...] = ()
    """Use only these columns; empty: all that make sense."""
    exclude: tuple[str, ...] = ()
    metric: str | None = None
    """A name in tools/metrics.py."""
    budget_seconds: float | None = None
    split_rule: Literal["random", "stratified", "time", "group", "predefined"] | None = None
    split_column: str | None = None
    candidates: tuple[str, ...] = ()
    model: dict[str, Any] | None = None
    """One kind of model, its parameters and their search, as an order for tools.models.reading."""
    profile: Literal["best", "compact", "explainable"] | None = None
    """As good as possible, small and fast, or readable by a person."""
    holdout_fraction: float | None = None
    seed: int | None = None
    costs: str | None = None
    """What errors cost, e.g. "FP=1,FN=5"; agents/planning/costs.py reads it."""
    blueprint: str | None = None
    """The words for a blueprint to use, "none" for none; None: whatever the table looks like."""
    alternatives: tuple[str, ...] = ()
    """Other columns that the words for the target could have meant, best first ("no, the other column")."""
    assumptions: tuple[str, ...] = ()
    """Each a full sentence that the user can correct."""
    explain: Explain | None = None
    reply: str = ""
    """For kind help, unsupported and analyse: what to say."""


class Question(BaseModel):
    """The one question that has no honest default."""

    model_config = ConfigDict(frozen=True)

    text: str
    choices: tuple[str, ...] = ()
    field: str
    """The field of `Request` that the answer fills, e.g. "target"."""
    so_far: Request
    """What was understood already; the answer completes it."""


class Decision(BaseModel):
    """What a person says at a gate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["approve", "approve_rest", "edit", "reject", "answer"]
    contract: dict[str, Any] | None = None
    """With edit at the contract gate: the changed fields (merged into the contract, validated)."""
    code: str | None = None
    """With edit at the code gate: the whole new script; it is checked and shown again."""
    answer: str | None = None
    steps: list[dict[str, Any]] | None = None
    """With edit at the plan gate: all steps that stay, in the wanted order, each {text} and the `id` that it had."""
    reason: str = ""


class State(TypedDict, total=False):
    """Checkpointed after every node. `*_hash` names a JSON or text file in the project's vault."""

    turn: int
    message: str
    files: list[str]
    """Uploads of this turn, already copied into the project's folder; emptied when read."""
    script_hash: str | None
    """The user's own training script, to be used instead of a generated one."""
    budget_seconds: float
    seed: int
    model: dict[str, Any]
    """A model that was chosen beside the sentence, as an order for tools.models.reading."""
    sample_rows: int
    """Training rows kept beside the model; 0: none."""
    profile: str
    """best, compact or explainable, said beside the sentence."""
    weight_column: str
    """The column of row weights, named beside the sentence."""
    model_budget: dict[str, Any]
    """What language models may cost here, as fields of agents.llm.spending.Allowance; the settings' where none is."""
    costs: str
    """As the user wrote them, e.g. "FP=1,FN=5"; agents/planning/costs.py reads them."""
    drop: list[str]
    """Columns that were left out beside the sentence."""
    changes: dict[str, Any] | None
    """Of the contract in `base`: a repair that a finding of the audit offered; forgotten once it is drafted."""
    split: str
    """As the user wrote it beside the sentence, e.g. "time:date"; agents/planning/split.py reads it."""
    policy: dict[str, bool]
    """Gate -> True when it asks."""

    spent: float
    """Seconds that the nodes of this turn have worked; waiting for a person does not count."""

    dataset_hash: str | None
    rows_hash: str | None
    """Rows that the last model was asked to predict."""
    profile_hash: str | None
    request: dict[str, Any] | None
    """`Request` of this turn; None until the sentence is understood."""
    goal: dict[str, Any] | None
    """The last `Request` that asked for a model: what a follow-up changes."""
    base: dict[str, Any] | None
    """What a follow-up changes: {contract_hash, goal} of the plan before; None for a fresh request."""
    question: dict[str, Any] | None
    contract_hash: str | None
    contract_approved: bool
    seal_hash: str | None
    attempt: int
    tries: int
    """How often the critic has sent this attempt's code back."""
    trouble: str
    """Why the last script was sent back or failed, in one sentence."""
    code_hash: str | None
    code_author: CodeAuthor
    code_note: str
    """Why the script is as it is."""
    code_shown: str | None
    code_shown_before: str | None
    """Hashes of the last two versions that were shown at the gate, for the difference between them."""
    review_hash: str | None
    wish: str | None
    """What the user wants of the script, said at the code gate, for the code generator."""
    wishes: int
    """How often that was asked for."""
    wish_declined: str | None
    """Turn and words of a wish that is about the plan and not about the script."""
    failed_hash: str | None
    """How the last run of a script failed: its outcome with its stderr, and `code`, the hash of the script."""
    recipe_hash: str | None
    """The recipe that a model's script has to beat on the same sealed rows; None: nothing to beat."""
    contest: dict[str, Any] | None
    """What came of that, see agents/nodes/contest.py; None: not yet."""
    analysis: dict[str, Any] | None
    """A question about the data that a script answers, see agents/nodes/analyst.py; None: none is open."""
    analyses: int
    """How many there were."""
    picture: dict[str, Any] | None
    """A picture that came along, see agents/nodes/pictures.py; None: none."""
    send_pictures: bool
    """Agreed in advance that pictures leave for a model."""
    code_approved: bool
    run_hash: str | None
    """Outcome of the training run."""
    score_hash: str | None
    scored: list[Scoring]
    """Every attempt that was scored, for comparison on the same rows."""
    improve_seconds: float | None
    """For a search for a better script, said beside the sentence: what is added to the budget; None: no search."""
    search_hash: str | None
    """The journal of that search (agents/search/journal.py); None: it has not begun."""
    search_seconds: float | None
    """How long it took, once it is over."""
    search_allowed: Any
    """What the user said about it, see agents/search/consent.py; None: not asked yet."""
    audit_hash: str | None
    review_text: str | None
    remarks_hash: str | None
    """What a language model would warn of in the result."""
    report_hash: str | None
    explained: int | None
    """The row that was explained last, for “what would change it?”."""
    plan: dict[str, Any] | None
    """`Plan` of agents/plan.py while a message of several requests is worked off, and after; None: one request."""
    pending: Pending | None
    """What the human node has to ask; None: nothing."""
    reopen: Pending | None
    """The gate at which the user said something else: it is asked again when that is answered."""
    failure: Failure | None
    outcome: TurnOutcome | None
    """Set when the turn is over."""
