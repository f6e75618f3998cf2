"""A script that stays: frames both ways, limits for each answer, and a typed end whatever happens."""

import asyncio
import os
from pathlib import Path
from typing import Unpack

import pytest

from sandbox.base import Session, SessionEnded
from sandbox.local import LocalSandbox
from sandbox.session import LocalSession
from tests.sandbox.scenes import SMALL, Parts, job

HEAD = """
import os, sys, time, struct
answers = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)

def hear():
    size = int.from_bytes(sys.stdin.buffer.read(8), "big")
    return sys.stdin.buffer.read(size)

def say(content):
    answers.write(len(content).to_bytes(8, "big") + content)
    answers.flush()
"""
ECHO = HEAD + "while True: say(hear()[::-1])"
MANY = 200 * 2**20


async def serve(sandbox: LocalSandbox, script: str, **parts: Unpack[Parts]) -> Session:
    return await sandbox.serve(job(HEAD + script, **parts))


async def ask(session: Session, request: bytes = b"?", seconds: float = 10, most_bytes: int = 1000) -> bytes:
    return await session.ask(request, seconds=seconds, most_bytes=most_bytes)


async def end_of(
    session: Session, request: bytes = b"?", seconds: float = 10, most_bytes: int = 1000
) -> tuple[str, str]:
    """How the session ended at this request, which must not be answered; and that it stays ended."""
    with pytest.raises(SessionEnded) as ended:
        await ask(session, request, seconds, most_bytes)
    assert not session.alive
    with pytest.raises(SessionEnded) as again:
        await ask(session)
    assert again.value.outcome == ended.value.outcome == await session.close()
    return ended.value.outcome.kind, str(ended.value)


async def test_questions_are_answered_in_order_until_it_is_closed(sandbox: LocalSandbox) -> None:
    session = await sandbox.serve(job(ECHO))
    found = await asyncio.gather(*(ask(session, f"request {i}".encode()) for i in range(20)))
    assert found == [f"request {i}".encode()[::-1] for i in range(20)]
    assert await ask(session, b"") == b""
    assert session.alive
    outcome = await session.close()
    assert outcome.kind == "killed_by_user"
    assert outcome == await session.close()
    assert not session.alive


async def test_a_session_keeps_what_it_has_made_and_what_it_prints_is_no_answer(sandbox: LocalSandbox) -> None:
    session = await serve(sandbox, "seen = []\nwhile True: seen.append(hear()); print('noise'); say(b','.join(seen))")
    assert [await ask(session, word) for word in (b"a", b"b", b"c")] == [b"a", b"a,b", b"a,b,c"]
    await session.close()


async def test_two_sessions_and_a_run_live_side_by_side(sandbox: LocalSandbox) -> None:
    one, two = await asyncio.gather(sandbox.serve(job(ECHO)), sandbox.serve(job(ECHO)))
    assert list(await asyncio.gather(ask(one, b"ab"), ask(two, b"cd"))) == [b"ba", b"dc"]
    await one.close()
    assert await ask(two, b"ef") == b"fe"
    await two.close()


async def test_hundreds_of_megabytes_go_both_ways_without_waiting_for_each_other(sandbox: LocalSandbox) -> None:
    """The script answers while it still reads: whoever writes all before reading would wait for ever."""
    script = """
size = int.from_bytes(sys.stdin.buffer.read(8), "big")
answers.write(size.to_bytes(8, "big"))
while size:
    part = sys.stdin.buffer.read(min(size, 2**20))
    answers.write(part)
    size -= len(part)
answers.flush()
say(hear())
"""
    session = await serve(sandbox, script)
    request = os.urandom(2**20) * (MANY // 2**20)
    assert await ask(session, request, 60, MANY) == request
    assert await ask(session, b"still in step") == b"still in step"
    await session.close()


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        ("hear(); sys.exit('out of ideas')", "error", "out of ideas"),
        ("hear(); os._exit(0)", "ok", "ended by itself"),
        ("hear(); os.kill(os.getpid(), 11)", "signal", "SIGSEGV"),
        ("hear(); raise KeyError('x')", "error", "KeyError: 'x'"),
        ("hear(); held = [bytearray(b'x' * 2**25) for _ in range(40)]", "memory", "512 MB"),
        ("say(b'unasked'); hear(); time.sleep(60)", "error", "one answer for each request"),
        ("hear(); os.close(answers.fileno()); time.sleep(60)", "error", "one answer for each request"),
        ("hear()\nwhile True: print('x' * 100_000)", "output_limit", "more than 1 MB"),
        ("hear(); answers.write((2**62).to_bytes(8, 'big')); answers.flush(); hear()", "output_limit", "larger than"),
        ("hear(); say(b'x' * 1001); hear()", "output_limit", "larger than"),
        ("hear(); answers.write(b'123'); answers.flush(); sys.exit(3)", "error", "exit code 3"),
    ],
)
async def test_every_death_is_typed(sandbox: LocalSandbox, script: str, kind: str, words: str) -> None:
    session = await serve(sandbox, script)
    if "unasked" in script:
        await until_it_has_spoken(session)
    found, sentence = await end_of(session)
    assert (found, words in sentence) == (kind, True), sentence


async def until_it_has_spoken(session: Session) -> None:
    """A test of the same machine may look at the pipe."""
    assert isinstance(session, LocalSession)
    answers = session._run.asking[1]
    loop, there = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(answers, there.set)
    await there.wait()
    loop.remove_reader(answers)


async def test_no_answer_in_time_ends_it_even_when_signals_are_ignored(sandbox: LocalSandbox) -> None:
    session = await serve(
        sandbox, "import signal; signal.signal(2, signal.SIG_IGN); say(hear()); hear(); time.sleep(60)"
    )
    assert await ask(session) == b"?"
    kind, sentence = await end_of(session, seconds=0.2)
    assert (kind, sentence) == ("timeout", "The script gave no answer within 0.2 s and was stopped.")


async def test_a_script_that_does_not_read_does_not_hold_us(sandbox: LocalSandbox) -> None:
    session = await serve(sandbox, "time.sleep(60)")
    assert (await end_of(session, b"x" * 2**23, seconds=0.2))[0] == "timeout"


async def test_the_time_limit_of_runs_does_not_end_a_session(sandbox: LocalSandbox) -> None:
    """A session whose limit is a tenth of a second is asked after a script that took longer than that."""
    limits = type(SMALL)(seconds=0.1, memory_mb=512)
    session = await sandbox.serve(job(ECHO, limits=limits))
    slow = await serve(sandbox, "hear(); time.sleep(0.4); say(b'slept')")
    assert await ask(slow) == b"slept"
    assert await ask(session, b"ab") == b"ba"
    await asyncio.gather(slow.close(), session.close())


async def test_output_counts_for_each_answer(sandbox: LocalSandbox) -> None:
    session = await serve(sandbox, "while True: hear(); print('x' * 700_000); say(b'ok')")
    assert [await ask(session) for _ in range(4)] == [b"ok"] * 4
    await session.close()


async def test_a_cancelled_question_ends_the_session_rather_than_shift_its_answers(sandbox: LocalSandbox) -> None:
    session = await serve(sandbox, "hear(); time.sleep(60); say(b'late')")
    asking = asyncio.create_task(ask(session, seconds=30))
    waiting = asyncio.create_task(ask(session, b"next", seconds=30))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    with pytest.raises(SessionEnded):
        await waiting
    assert not session.alive
    assert (await session.close()).kind == "killed_by_user"


async def test_cancelling_who_only_waits_harms_nobody(sandbox: LocalSandbox) -> None:
    session = await serve(sandbox, "while True: time.sleep(0.05); say(hear())")
    first = asyncio.create_task(ask(session, b"first"))
    second = asyncio.create_task(ask(session, b"second"))
    await asyncio.sleep(0)
    second.cancel()
    assert await first == b"first"
    assert await ask(session, b"third") == b"third"
    await session.close()


async def test_closing_while_it_is_asked_wakes_who_waits(sandbox: LocalSandbox) -> None:
    session = await serve(sandbox, "hear(); time.sleep(60)")
    asking = asyncio.create_task(ask(session, seconds=30))
    await asyncio.sleep(0)
    await session.close()
    with pytest.raises(SessionEnded) as ended:
        await asking
    assert ended.value.outcome.kind == "killed_by_user"


async def test_it_can_be_stopped_by_its_name_and_frees_it(sandbox: LocalSandbox) -> None:
    named = job(ECHO)
    session = await sandbox.serve(named)
    assert await sandbox.stop(named.id)
    assert (await end_of(session))[0] == "killed_by_user"
    assert not await sandbox.stop(named.id)
    again = await sandbox.serve(named)
    assert await ask(again, b"ab") == b"ba"
    await again.close()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_session_leaves_no_descriptor_and_no_task(sandbox: LocalSandbox) -> None:
    await (await sandbox.serve(job(ECHO))).close()
    await sandbox.stand()  # boxes that are being made hold descriptors as well
    before, tasks = descriptors(), len(asyncio.all_tasks())
    for _ in range(3):
        session = await sandbox.serve(job(ECHO))
        await ask(session)
        await session.close()
        await end_of(await serve(sandbox, "hear(); os.fork(); time.sleep(60)"), seconds=0.2)
    await sandbox.stand()
    assert descriptors() == before
    assert len(asyncio.all_tasks()) == tasks


async def test_what_it_leaves_in_outputs_is_thrown_away(sandbox: LocalSandbox, tmp_path: Path) -> None:
    session = await serve(sandbox, "open('outputs/x', 'w').write('x'); say(hear())", outputs=tmp_path)
    assert await ask(session) == b"?"
    assert (await session.close()).files == ()


async def test_who_waited_behind_the_question_that_ended_it_is_told_so(sandbox: LocalSandbox) -> None:
    session = await serve(sandbox, "hear(); time.sleep(60)")
    asked = await asyncio.gather(*(ask(session, seconds=0.3) for _ in range(3)), return_exceptions=True)
    assert [one.asked for one in asked if isinstance(one, SessionEnded)] == [True, False, False]
