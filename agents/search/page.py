"""The improvement search in words: what a script came to, how it ended, and all of it for the report."""

from typing import Any

from agents.search.journal import Journal, Node
from tools.contract import Contract
from tools.metrics import METRICS
from tools.score import Difference

DOING = {
    "recipe": "measuring the recipe on a part of the training rows",
    "draft": "trying script {}, a new idea",
    "debug": "trying script {}, a repair",
    "improve": "trying script {}, an improvement",
}


def begun_in_words(node: Node) -> str:
    """What is being done."""
    return DOING[node.kind].format(node.id)


def came_of(node: Node, contract: Contract) -> str:
    """One sentence: the measure and the gain, or why there is none."""
    if node.value is None:
        return node.trouble
    metric = METRICS[contract.metric]
    value = f"{metric.label} {metric.format(node.value.value)} on training rows kept aside"
    if node.gain is None:
        return f"{value}."
    if node.gain.value == node.gain.ci_low == node.gain.ci_high == 0:
        return f"{value}, as the recipe's."
    return f"{value}, {against(node.gain)} the recipe's."


def against(gain: Difference) -> str:
    """ "better by 0.02 (95 % interval 0.01 to 0.03) than" for the start of a comparison."""
    word = "better" if gain.value > 0 else "worse" if gain.value < 0 else "no better"
    return f"{word} by {abs(gain.value):.3g} (95 % interval {gain.ci_low:+.3g} to {gain.ci_high:+.3g}) than"


def ended_in_words(journal: Journal) -> str:
    """What came of the search, for the chat, the terminal and the report."""
    count = journal.tried
    tried = f"{count} script{'' if count == 1 else 's'} of {journal.author} tried." if count else "No script was tried."
    verdict = journal.verdict
    if verdict is not None and verdict.candidate:
        met = f"Script {verdict.candidate} was ahead on training rows kept aside"
        if not verdict.looks:
            return f"Improvement search: {tried} {met}. {verdict.sentence}"
        stands = "makes the result" if verdict.better else "does not beat it there: the recipe's result stands"
        return f"Improvement search: {tried} {met}, met the recipe on the sealed rows and {stands}."
    if count:
        return f"Improvement search: {tried} {journal.over} None was ahead of the recipe beyond chance; it stands."
    return f"Improvement search: {tried} {journal.over} The recipe stands."


def report_part(journal: Journal) -> dict[str, Any]:
    """For report.json: every script with what came of it, and the verdict."""
    verdict = journal.verdict
    candidate = verdict.candidate if verdict else 0
    return {
        "sentence": ended_in_words(journal),
        "author": journal.author,
        "tried": journal.tried,
        "rounds": journal.rounds,
        "why_it_ended": journal.over,
        "candidate": candidate or None,
        "stands": candidate if verdict and verdict.better else 0,
        "looks": verdict.looks if verdict else 0,
        "gain": verdict.gain.model_dump(mode="json") if verdict and verdict.gain else None,
        "scripts": [_script(node) for node in journal.nodes],
    }


def _script(node: Node) -> dict[str, Any]:
    return {
        "script": node.id,
        "made_from": node.parent,
        "kind": node.kind,
        "idea": node.idea,
        "status": node.status,
        "code": node.code_hash,
        "value": node.value.model_dump(mode="json") if node.value else None,
        "gain": node.gain.model_dump(mode="json") if node.gain else None,
        "trouble": node.trouble,
        "seconds": node.seconds,
    }
