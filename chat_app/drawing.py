"""A projection in Chainlit's terms: steps, elements and threads as its browser side expects them."""

from typing import Any, get_args
from urllib.parse import quote

from chat_app.projector import Bubble, Card, Projection, drawn_id
from tools.contract import Task
from tools.metrics import metrics_for

ASSISTANT = "Modelwright"
PANEL_KEY = "panel"


class Drawing:
    """Renders one project. `aliases`: ids that the sender's browser has given to its own message and uploads."""

    def __init__(self, projection: Projection) -> None:
        self.projection = projection
        self.aliases: dict[str, str] = {}

    def id(self, key: str) -> str:
        """The id in the browser."""
        return self.aliases.get(key) or drawn_id(self.projection.project, key)

    def step(self, bubble: Bubble) -> dict[str, Any]:
        """One message."""
        user = bubble.role == "user"
        return {
            "id": self.id(bubble.key),
            "threadId": self.projection.project,
            "parentId": None,
            "name": "You" if user else ASSISTANT,
            "type": "user_message" if user else "assistant_message",
            "output": bubble.text,
            "input": "",
            "createdAt": bubble.at,
            "start": bubble.at,
            "end": bubble.at,
            "streaming": False,
            "isError": False,
            "waitForAnswer": False,
            "metadata": {},
            "tags": None,
        }

    def uploads(self, bubble: Bubble) -> list[dict[str, Any]]:
        """The chips above a user's message."""
        base = f"/api/projects/{self.projection.project}/uploads"
        return [
            self._element(
                f"{bubble.key}/file/{number}", "file", name, bubble.key, url=f"{base}/{quote(name)}", mime="text/csv"
            )
            for number, name in enumerate(bubble.files)
        ]

    def element(self, card: Card) -> dict[str, Any]:
        """One card."""
        props = {**card.props, **self._common(f"card/{card.key}", card.seq)}
        if card.kind == "Contract":
            props["metrics"] = _metric_names()
        return self._element(f"card/{card.key}", "custom", card.kind, card.key, props=props)

    def panel(self) -> dict[str, Any]:
        """The side panel with everything that is known."""
        panel = self.projection.panel
        props = {**self._common(PANEL_KEY, panel.seq), "panel": panel.snapshot()}
        return self._element(PANEL_KEY, "custom", "Run", "", display="side", props=props)

    def thread(self, title: str, owner: str) -> dict[str, Any]:
        """The whole conversation, as a tab that opens it needs it."""
        bubbles, cards = self.projection.changed(0)
        uploads = [chip for bubble in bubbles for chip in self.uploads(bubble)]
        return {
            "id": self.projection.project,
            "createdAt": bubbles[0].at if bubbles else "",
            "name": title,
            "userId": owner,
            "userIdentifier": owner,
            "tags": [],
            "metadata": {"seq": self.projection.seq},
            "steps": [self.step(bubble) for bubble in bubbles],
            "elements": [*uploads, *(self.element(card) for card in cards), self.panel()],
        }

    def _common(self, key: str, seq: int) -> dict[str, Any]:
        return {"key": self.id(key), "project": self.projection.project, "seq": seq}

    def _element(self, key: str, kind: str, name: str, below: str, **more: Any) -> dict[str, Any]:
        return {
            "id": self.id(key),
            "threadId": self.projection.project,
            "type": kind,
            "name": name,
            "display": "inline",
            "url": None,
            "chainlitKey": None,
            "objectKey": None,
            "forId": self.id(below) if below else "",
            "mime": "application/json",
            **more,
        }


def _metric_names() -> dict[str, list[str]]:
    return {task: [metric.name for metric in metrics_for(task)] for task in get_args(Task)}
