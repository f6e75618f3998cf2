"""A message of several requests as a plan: steps that depend on each other, worked off one after the other."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

StepKind = Literal["prepare", "profile", "model", "revise", "predict", "why", "explain", "analyse", "other"]
StepStatus = Literal["waiting", "running", "done", "failed", "skipped"]
MOST_STEPS = 8
"""A longer list is no plan that anybody reads."""
MOST_CHARACTERS = 1_000
"""Of one step."""
OPEN: tuple[StepStatus, ...] = ("waiting", "running")
FOLLOWS: tuple[StepKind, ...] = ("revise", "predict", "why", "explain")
"""What is said about the model before it."""


class Step(BaseModel):
    """One request of the message."""

    model_config = ConfigDict(frozen=True)

    id: str
    text: str
    """What is understood like a message of its own."""
    kind: StepKind = "other"
    """As far as it is known before the step is understood; other: it is not."""
    depends_on: tuple[str, ...] = ()
    """Steps without which this one makes no sense."""
    status: StepStatus = "waiting"
    note: str = ""
    """What came of it, in one sentence."""


class Plan(BaseModel):
    """The steps in their order; at most one of them runs."""

    model_config = ConfigDict(frozen=True)

    steps: tuple[Step, ...]
    by: str = "expert"
    """"expert", "user", or the model that was asked."""
    reason: str = ""
    """The model's, in one sentence."""
    approved: bool = False

    @property
    def current(self) -> Step | None:
        """The step that runs."""
        return next((step for step in self.steps if step.status == "running"), None)

    @property
    def goes_on(self) -> bool:
        """Whether a step is still to be done."""
        return any(step.status in OPEN for step in self.steps)

    def number(self, step: Step) -> int:
        """Its place, from 1."""
        return [one.id for one in self.steps].index(step.id) + 1

    def with_step(self, step: Step) -> "Plan":
        """The same plan with this step as it is now."""
        return self.model_copy(update={"steps": tuple(step if one.id == step.id else one for one in self.steps)})


def plan_of(state: Mapping[str, Any]) -> Plan | None:
    """The plan that the state holds."""
    found = state.get("plan")
    return Plan.model_validate(found) if found else None


def drawn_up(texts: Iterable[tuple[str, StepKind]], by: str, needs: Sequence[Iterable[int]] = ()) -> Plan:
    """Steps "1", "2", …; `needs`: places (from 0) of earlier steps that each depends on beside what its kind says."""
    steps = tuple(Step(id=str(place + 1), text=text, kind=kind) for place, (text, kind) in enumerate(texts))
    wanted = [[steps[one].id for one in places if one < place] for place, places in enumerate(needs)]
    return Plan(steps=_linked(steps, dict(zip((step.id for step in steps), wanted, strict=False))), by=by)


def rearranged(plan: Plan, wanted: Sequence[tuple[str | None, str, StepKind]]) -> Plan:
    """The plan as the user has changed it: (id that the step had, text, kind) in the new order."""
    free = max((int(step.id) for step in plan.steps if step.id.isdecimal()), default=0)
    earlier, steps = {step.id: step for step in plan.steps}, list[Step]()
    for known, text, kind in wanted:
        if known not in earlier or any(step.id == known for step in steps):
            free, known = free + 1, str(free + 1)
        steps.append(Step(id=known, text=text, kind=kind))
    kept = {step.id: step.depends_on for step in plan.steps if step.kind not in FOLLOWS}
    return Plan(steps=_linked(steps, kept), by="user")


def ended(plan: Plan, status: StepStatus, note: str) -> Plan:
    """The step that runs has come to its end."""
    step = plan.current
    return plan if step is None else plan.with_step(step.model_copy(update={"status": status, "note": note}))


def without_hopeless(plan: Plan) -> tuple[Plan, tuple[Step, ...]]:
    """The plan without what cannot be done any more because of what went wrong, and these steps."""
    gone = list[Step]()
    for step in plan.steps:  # in order: what depends on a step that goes here goes as well
        if step.status != "waiting":
            continue
        lost = [one for one in plan.steps if one.id in step.depends_on and one.status in ("failed", "skipped")]
        if lost:
            note = f"it needs step {plan.number(lost[0])}, which {_what_happened(lost[0])}"
            gone.append(step.model_copy(update={"status": "skipped", "note": note}))
            plan = plan.with_step(gone[-1])
    return plan, tuple(gone)


def begun(plan: Plan) -> Plan:
    """The plan with its next step running; unchanged when none is left."""
    following = next((step for step in plan.steps if step.status == "waiting"), None)
    return plan if following is None else plan.with_step(following.model_copy(update={"status": "running"}))


def _what_happened(step: Step) -> str:
    return "failed" if step.status == "failed" else "was not done"


def _linked(steps: Sequence[Step], wanted: Mapping[str, Sequence[str]]) -> tuple[Step, ...]:
    """What a kind says about dependencies, and those that are wanted beside it; only on steps that come before.

    A model rests on a preparation, and what is said about a model on the last one before it.
    """
    linked = list[Step]()
    for step in steps:
        before = [one.id for one in linked]
        needs = [one.id for one in linked if one.kind == "prepare"] if step.kind == "model" else []
        needs += [one.id for one in linked if one.kind in ("model", "revise")][-1:] if step.kind in FOLLOWS else []
        needs += [one for one in wanted.get(step.id, ()) if one in before]
        linked.append(step.model_copy(update={"depends_on": tuple(one for one in before if one in needs)}))
    return tuple(linked)
