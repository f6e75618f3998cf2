"""A scripted model for the role “code”: what it answers in order, while the critic's mind has nothing to say."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from tests.openai_server import Asked, ModelServer, answers


def codes(server: ModelServer, *said: Mapping[str, Any]) -> None:
    """From now on the server gives these answers to whoever asks for code, the last one for ever."""
    waiting = list(said)

    async def answer(asked: Asked) -> Response:
        if is_review(asked):
            return await answers({"remarks": []})(asked)
        one = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return await answers(one)(asked)

    server.plays(answer)


def is_review(asked: Asked) -> bool:
    """The critic's mind asks."""
    return "You review" in json.dumps(asked["messages"][:1])


def code_calls(server: ModelServer) -> list[Asked]:
    """What the code generator asked."""
    return [asked for asked in server.asked if not is_review(asked)]
