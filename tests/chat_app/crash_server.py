"""A server without a screen, for tests that kill it: one project, and each event type printed as it is logged."""

import asyncio
import sys
from pathlib import Path

from chat_app.conductor import Policy, open_conductor
from chat_app.settings import Settings

PROJECT = "doomed"


async def main(home: Path, asks: bool, text: str) -> None:
    """Begin the project when it is new, recover it when it is not, and go on until killed."""
    async with open_conductor(Settings(home=home, budget_seconds=10)) as conductor:
        await conductor.warm()
        if not await conductor.projects():
            await conductor.new_project(policy=Policy(asks, asks), project=PROJECT)
            await conductor.start(PROJECT, text, ["iris"])
        else:
            await conductor.recover()
        async for envelope in conductor.subscribe(PROJECT):
            sys.stdout.write(f"{envelope.type}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2] == "ask", (*sys.argv[3:], "classify species")[0]))
