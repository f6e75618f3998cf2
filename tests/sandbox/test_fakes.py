"""The scripted sandbox keeps the promises of the Protocol, so that tests of others may trust it."""

from pathlib import Path

import pytest

from sandbox.base import Metric, Outcome, Output, Sandbox, SandboxBroken, SessionEnded
from tests.fakes import Scene, ScriptedSandbox, Talk, failed
from tests.sandbox.scenes import job, play


async def test_it_plays_its_scenes_in_order(tmp_path: Path) -> None:
    sandbox: Sandbox = ScriptedSandbox(
        Scene(says=[Output("stdout", "hi\n"), Metric({"value": 1})], leaves={"sub/a.txt": b"abc"}),
        Scene(ends=failed("It broke.")),
    )
    first = await play(sandbox, "one", outputs=tmp_path / "out")
    assert (first.stdout, first.metrics) == ("hi\n", [{"value": 1}])
    assert [(a.name, a.bytes, a.path.read_bytes()) for a in first.outcome.files] == [("sub/a.txt", 3, b"abc")]
    second = await play(sandbox, "two")
    assert (second.outcome.kind, second.outcome.message) == ("error", "It broke.")


async def test_it_breaks_when_told_to() -> None:
    sandbox = ScriptedSandbox(Scene(says=[Output("stdout", "so far")], breaks=SandboxBroken("the zygote died")))
    heard: list[Output | Metric | Outcome] = []

    async def listen() -> None:
        async for event in sandbox.run(job("x")):
            heard.append(event)

    with pytest.raises(SandboxBroken, match="zygote"):
        await listen()
    assert heard == [Output("stdout", "so far")]
    assert [j.script for j in sandbox.jobs] == ["x"]


async def test_it_answers_until_its_talk_is_over() -> None:
    sandbox: Sandbox = ScriptedSandbox(Talk([b"one", failed("It broke.")]), Talk(breaks=SandboxBroken("no zygote")))
    session = await sandbox.serve(job("x"))
    assert await session.ask(b"?", seconds=1, most_bytes=10) == b"one"
    assert session.alive
    for _ in range(2):
        with pytest.raises(SessionEnded, match="It broke"):
            await session.ask(b"?", seconds=1, most_bytes=10)
    assert not session.alive
    assert (await session.close()).kind == "error"
    with pytest.raises(SandboxBroken, match="no zygote"):
        await sandbox.serve(job("y"))
    assert not await sandbox.stop("y")
