"""Models at work: loaded once, several within a budget of memory, started again after a crash, put away when idle."""

import asyncio
import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.base import Job, Limits, Outcome, Sandbox, SandboxBroken, SandboxUnavailable
from tests.fakes import ScriptedSandbox, Talk, failed
from tests.tools.modelling_scene import contract_for, model_folder, run
from tools import answers
from tools.answers import ModelFailed
from tools.predictions import PredictionsRefused
from tools.worker import Workers

TABLE = {"age": [20.0, 50.0, 30.0], "answer": ["no", "yes", "no"]}
CONTRACT = contract_for(TABLE, "answer")
ROWS = pa.table({"age": TABLE["age"]})
CRASH = Outcome("signal", "The script crashed (SIGSEGV).", "scripted", signal=11)


def said(*codes: float) -> bytes:
    """An honest answer: labels only."""
    return b'{"columns": 1}\n' + np.array(codes, "<f8").tobytes()


def a_model(folder: Path, content: str = "a pickle") -> Path:
    """The folder of a model that nobody will really load."""
    folder.mkdir(exist_ok=True)
    (folder / "model.joblib").write_text(content)
    return folder


@dataclass
class Clock:
    """Timers that only ring when a test says so."""

    waiting: list["Alarm"] = field(default_factory=list)

    def later(self, seconds: float, ring: Callable[[], None]) -> "Alarm":
        self.waiting.append(Alarm(seconds, ring))
        return self.waiting[-1]

    def ring(self) -> None:
        """The time of every timer that is still set has come."""
        due, self.waiting = self.waiting, []
        for alarm in due:
            if not alarm.cancelled:
                alarm.ring()


@dataclass
class Alarm:
    seconds: float
    ring: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


def asked(sandbox: ScriptedSandbox, session: int = 0) -> list[dict[str, Any]]:
    """The heads of what a session was asked."""
    return [json.loads(request.split(b"\n")[0]) for request in sandbox.sessions[session].asked]


async def test_a_model_is_loaded_once_and_gets_only_its_own_columns(tmp_path: Path) -> None:
    sandbox = ScriptedSandbox(Talk([said(0, 1, 0), said(1)]))
    workers, model = Workers(sandbox, Limits(seconds=7)), a_model(tmp_path / "m")
    rows = ROWS.append_column("answer", pa.array(["no"] * 3))
    assert (await workers.predict(model, CONTRACT, rows)).values.tolist() == [0, 1, 0]
    assert (await workers.predict(model, CONTRACT, [{"age": 70, "answer": "no"}], seconds=3)).values.tolist() == [1]
    assert asked(sandbox) == [{"kind": "table", "rows": 3, "seed": 0}, {"kind": "rows", "rows": 1, "seed": 0}]
    sent = pa.ipc.open_stream(sandbox.sessions[0].asked[0].split(b"\n", 1)[1]).read_all()
    assert sent.column_names == ["age"]
    assert json.loads(sandbox.sessions[0].asked[1].split(b"\n", 1)[1]) == [{"age": 70}]
    first, second = sandbox.sessions[0].seconds
    assert (first, second <= 3) == (7, True)
    assert [job.inputs for job in sandbox.jobs] == [{"model.joblib": model.resolve() / "model.joblib"}]
    await workers.close()
    assert not sandbox.sessions[0].alive
    assert not workers.loaded


async def test_another_file_in_the_same_place_is_another_model(tmp_path: Path) -> None:
    sandbox = ScriptedSandbox(Talk([said(0, 0, 0)]), Talk([said(1, 1, 1)]))
    workers = Workers(sandbox)
    await workers.predict(a_model(tmp_path / "m"), CONTRACT, ROWS)
    found = await workers.predict(a_model(tmp_path / "m", "a better pickle"), CONTRACT, ROWS)
    assert found.values.tolist() == [1, 1, 1]
    await workers.close()


async def test_a_big_table_is_asked_in_parts(tmp_path: Path) -> None:
    """So that a model that needs a hundredth of a second for a row still keeps to the time limit of an answer."""
    first = answers.MOST_ROWS
    ages = np.arange(first + 500, dtype=float)
    sandbox = ScriptedSandbox(Talk([said(*[0.0] * first), said(*[1.0] * (len(ages) - first))]))
    workers = Workers(sandbox)
    found = await workers.predict(a_model(tmp_path / "m"), CONTRACT, pa.table({"age": ages}))
    assert len(found.values) == len(ages)
    assert found.values.sum() == len(ages) - first
    assert [head["rows"] for head in asked(sandbox)] == [first, len(ages) - first]
    await workers.close()


async def test_wide_rows_are_asked_in_smaller_parts(tmp_path: Path) -> None:
    contract = contract_for({"word": ["x"], "answer": [1.0]}, "answer", roles={"word": "text"})
    sandbox = ScriptedSandbox(Talk([said(*[0.0] * 31), said(*[0.0] * 31), said(*[0.0] * 2)]))
    workers = Workers(sandbox)
    found = await workers.predict(a_model(tmp_path / "m"), contract, pa.table({"word": ["x" * 2**20] * 64}))
    assert len(found.values) == 64
    assert max(map(len, sandbox.sessions[0].asked)) < answers.REQUEST_BYTES + 10_000
    await workers.close()


async def test_no_rows_are_no_question(tmp_path: Path) -> None:
    workers = Workers(ScriptedSandbox())
    assert len((await workers.predict(a_model(tmp_path / "m"), CONTRACT, ROWS[:0])).values) == 0


async def test_a_crash_is_followed_by_a_second_try_and_then_by_a_sentence(tmp_path: Path) -> None:
    sandbox = ScriptedSandbox(Talk([CRASH]), Talk([said(0, 1, 0), failed("It broke.")]), Talk([CRASH]), Talk([CRASH]))
    workers, model = Workers(sandbox), a_model(tmp_path / "m")
    assert (await workers.predict(model, CONTRACT, ROWS)).values.tolist() == [0, 1, 0]
    with pytest.raises(ModelFailed, match="SIGSEGV"):  # it had answered before, so an error is worth a second try too
        await workers.predict(model, CONTRACT, ROWS)
    assert len(sandbox.sessions) == 3
    with pytest.raises(AssertionError, match="no talk left"):
        await workers.predict(model, CONTRACT, ROWS)
    assert len(sandbox.sessions) == 4
    await workers.close()


@pytest.mark.parametrize("kind", ["timeout", "output_limit", "killed_by_user", "error"])
async def test_an_end_that_would_only_come_again_is_told_at_once(tmp_path: Path, kind: str) -> None:
    sandbox = ScriptedSandbox(Talk([Outcome(kind, "So it ended.", "scripted")]))  # type: ignore[arg-type]
    workers = Workers(sandbox)
    with pytest.raises(ModelFailed, match="^So it ended"):
        await workers.predict(a_model(tmp_path / "m"), CONTRACT, ROWS)
    assert not workers.loaded
    await workers.close()


async def test_a_sandbox_that_breaks_is_tried_once_more(tmp_path: Path) -> None:
    sandbox = ScriptedSandbox(Talk([SandboxBroken("pipe")]), Talk([SandboxBroken("again")]))
    workers = Workers(sandbox)
    with pytest.raises(SandboxBroken, match="again"):
        await workers.predict(a_model(tmp_path / "m"), CONTRACT, ROWS)
    await workers.close()


async def test_without_isolation_nothing_is_loaded(tmp_path: Path) -> None:
    workers = Workers(ScriptedSandbox(Talk(breaks=SandboxUnavailable("no isolation")), Talk([said(0, 0, 0)])))
    with pytest.raises(SandboxUnavailable):
        await workers.predict(a_model(tmp_path / "m"), CONTRACT, ROWS)
    assert (await workers.predict(tmp_path / "m", CONTRACT, ROWS)).values.tolist() == [0, 0, 0]
    await workers.close()


async def test_a_folder_without_a_model_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelFailed, match=r"no model\.joblib to ask"):
        await Workers(ScriptedSandbox()).predict(tmp_path, CONTRACT, ROWS)
    (tmp_path / "model.joblib").mkdir()
    with pytest.raises(ModelFailed, match=r"^model\.joblib is a folder; give the model/ that a run has written"):
        await Workers(ScriptedSandbox()).predict(tmp_path, CONTRACT, ROWS)
    (tmp_path / "model.joblib").rmdir()
    (tmp_path / "model.joblib").symlink_to("/dev/zero")
    with pytest.raises(ModelFailed, match=r"^model\.joblib is no regular file"):
        await Workers(ScriptedSandbox()).predict(tmp_path, CONTRACT, ROWS)


async def test_the_sandbox_is_shown_the_model_and_its_script_and_nothing_else_of_the_folder(tmp_path: Path) -> None:
    """The model is a link, as in the caches of download tools."""
    cache, model = a_model(tmp_path / "cache"), tmp_path / "m"
    model.mkdir()
    (model / "model.joblib").symlink_to(cache / "model.joblib")
    (model / "train.py").write_text("")
    (model / "secrets.env").write_text("KEY=1")
    (model / "more").symlink_to("/etc")
    sandbox = ScriptedSandbox(Talk([said(0, 0, 0)]))
    workers = Workers(sandbox)
    await workers.predict(model, CONTRACT, ROWS)
    shown = {"model.joblib": cache.resolve() / "model.joblib", "train.py": model.resolve() / "train.py"}
    assert sandbox.jobs[0].inputs == shown
    await workers.close()


async def test_the_model_that_was_used_last_stays_when_memory_is_short(tmp_path: Path) -> None:
    sandbox = ScriptedSandbox(*(Talk([said(0, 0, 0)] * 3) for _ in range(4)))
    workers = Workers(sandbox, Limits(memory_mb=100), memory_mb=250)
    one, two, three = (a_model(tmp_path / name) for name in ("one", "two", "three"))
    for model in (one, two, one, three):
        await workers.predict(model, CONTRACT, ROWS)
    assert workers.loaded == (one, three)
    assert [session.alive for session in sandbox.sessions] == [True, False, True]
    await workers.predict(two, CONTRACT, ROWS)
    assert workers.loaded == (three, two)
    await workers.close()


async def test_who_finds_no_room_waits_for_a_model_that_is_busy(tmp_path: Path) -> None:
    sandbox = ScriptedSandbox(*(Talk([said(0, 0, 0)]) for _ in range(5)))
    workers = Workers(sandbox, Limits(memory_mb=100), memory_mb=100)
    models = [a_model(tmp_path / str(number)) for number in range(5)]
    found = await asyncio.gather(*(workers.predict(model, CONTRACT, ROWS) for model in models))
    assert len(found) == 5
    assert sum(session.alive for session in sandbox.sessions) == 1
    await workers.close()


async def test_questions_at_the_same_time_share_one_session(tmp_path: Path) -> None:
    sandbox = ScriptedSandbox(Talk([said(0, 0, 0)] * 8))
    workers, model = Workers(sandbox), a_model(tmp_path / "m")
    await asyncio.gather(*(workers.predict(model, CONTRACT, ROWS) for _ in range(8)))
    assert len(sandbox.sessions) == 1
    await workers.close()


async def test_an_idle_model_is_put_away_and_a_busy_one_is_not(tmp_path: Path) -> None:
    sandbox, clock = ScriptedSandbox(Talk([said(0, 0, 0)] * 2), Talk([said(1, 1, 1)])), Clock()
    workers, model = Workers(sandbox, idle_seconds=5, later=clock.later), a_model(tmp_path / "m")
    await workers.predict(model, CONTRACT, ROWS)
    assert [alarm.seconds for alarm in clock.waiting] == [5]
    again = asyncio.create_task(workers.predict(model, CONTRACT, ROWS))
    while len(sandbox.sessions[0].asked) < 2:
        await asyncio.sleep(0)
    clock.ring()
    assert (await again).values.tolist() == [0, 0, 0]
    assert workers.loaded == (model,)
    clock.ring()
    assert not workers.loaded
    assert (await workers.predict(model, CONTRACT, ROWS)).values.tolist() == [1, 1, 1]
    await workers.close()
    assert not any(session.alive for session in sandbox.sessions)


async def test_closing_while_somebody_waits_wakes_them(tmp_path: Path) -> None:
    sandbox = ScriptedSandbox(Talk([said(0, 0, 0)]), Talk([said(0, 0, 0)]))
    workers, model = Workers(sandbox), a_model(tmp_path / "m")
    asking = asyncio.create_task(workers.predict(model, CONTRACT, ROWS))
    while not workers.loaded:
        await asyncio.sleep(0)
    await workers.close()
    with pytest.raises(ModelFailed, match=r"put away|stopped on request"):
        await asking


# From here on in the real sandbox

MODEL = """
import os, signal, time
import joblib
import numpy as np


class Odd:
    def __init__(self):
        self.classes_, self.calls = ["no", "yes"], 0

    def predict(self, table):
        self.calls += 1
        age = np.asarray(table["age"], dtype=float)
        if (age == 11).any():
            os.kill(os.getpid(), signal.SIGSEGV)
        if (age == 12).any():
            time.sleep(60)
        if (age == 13).any():
            raise LookupError("I do not know thirteen\\x1b[31m")
        if (age == 14).any():
            held = [np.ones(2**24) for _ in range(100)]
        if (age == 15).any():
            os._exit(3)
        if (age == 16).any():
            age = age * 0 + 41 * (self.calls == 1)
        if (age == 18).any():
            raise LookupError("half \\ud800 a letter")
        if (age == 17).any():
            age = np.random.normal(40, 10, len(age))
        return np.where(age > 40, "yes", "no")


if __name__ == "__main__":
    joblib.dump(Odd(), "outputs/model.joblib")
"""


@pytest.fixture
async def odd(sandbox: Sandbox, tmp_path: Path) -> Path:
    ran = await run(sandbox, MODEL, {}, tmp_path / "train")
    assert ran.outcome.ok, ran.errors
    return model_folder(tmp_path / "train", MODEL)


async def code(workers: Workers, model: Path, age: float, **how: Any) -> float:
    return float((await workers.predict(model, CONTRACT, [{"age": age}], **how)).values[0])


async def test_an_error_of_the_model_is_an_answer_and_the_model_stays_loaded(workers: Workers, odd: Path) -> None:
    with pytest.raises(ModelFailed) as failed_once:
        await code(workers, odd, 13)
    assert str(failed_once.value) == "LookupError: I do not know thirteen [31m"
    assert await code(workers, odd, 16) == 0  # the second call of the same object
    assert await code(workers, odd, 50) == 1


@pytest.mark.parametrize(("age", "words"), [(11, "SIGSEGV"), (15, "exit code 3"), (14, "512 MB of memory")])
async def test_a_crash_is_told_and_the_next_question_is_answered(
    sandbox: Sandbox, odd: Path, age: float, words: str
) -> None:
    workers = Workers(sandbox, Limits(memory_mb=512))
    assert await code(workers, odd, 50) == 1
    with pytest.raises(ModelFailed, match=words):
        await code(workers, odd, age)
    assert await code(workers, odd, 50) == 1
    await workers.close()


async def test_too_slow_is_told_with_the_time(workers: Workers, odd: Path) -> None:
    assert await code(workers, odd, 50) == 1
    with pytest.raises(ModelFailed, match="no answer within"):
        await code(workers, odd, 12, seconds=0.3)
    assert await code(workers, odd, 50) == 1


async def test_an_answer_does_not_depend_on_what_was_asked_before(workers: Workers, odd: Path) -> None:
    """The model draws from numpy's global generator."""
    rows = pa.table({"age": [17.0] * 50})
    first = await workers.predict(odd, CONTRACT, rows)
    assert set(first.values) == {0.0, 1.0}
    assert (await workers.predict(odd, CONTRACT, rows)).values.tolist() == first.values.tolist()


@pytest.mark.parametrize("seconds", [None, 0.5])
async def test_who_gives_up_or_is_too_slow_does_not_take_others_along(
    workers: Workers, odd: Path, seconds: float | None
) -> None:
    """The others wait their turn behind a question that is cancelled, or that runs into its own time limit."""
    assert await code(workers, odd, 50) == 1
    slow = asyncio.create_task(code(workers, odd, 12, seconds=seconds))
    await asyncio.sleep(0.1)
    others = [asyncio.create_task(code(workers, odd, age)) for age in (50, 20, 60)]
    await asyncio.sleep(0.1)
    if seconds is None:
        slow.cancel()
    with pytest.raises((asyncio.CancelledError, ModelFailed)):
        await slow
    assert await asyncio.gather(*others) == [1, 0, 1]


async def test_waiting_for_a_turn_or_for_memory_counts(sandbox: Sandbox, odd: Path, tmp_path: Path) -> None:
    own = Workers(sandbox, Limits(memory_mb=512), memory_mb=600)
    slow = asyncio.create_task(code(own, odd, 12))
    while not own.loaded:
        await asyncio.sleep(0)
    other = tmp_path / "other"
    shutil.copytree(odd, other)
    for model in (odd, other):
        with pytest.raises(ModelFailed, match=r"^The model gave no answer within 0\.3 s"):
            await code(own, model, 50, seconds=0.3)
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    assert await code(own, odd, 50) == 1
    await own.close()


async def test_a_model_that_dies_on_loading_is_not_started_for_ever(workers: Workers, tmp_path: Path) -> None:
    """Many wait for it at once, so somebody else is always to blame."""
    (tmp_path / "model.joblib").write_bytes(pickle.dumps(Poison("import os; os.kill(os.getpid(), 11)")))
    asking = (workers.predict(tmp_path, CONTRACT, ROWS) for _ in range(6))
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(one) for one in found] == [ModelFailed] * 6


async def test_a_session_apart_remembers_nothing_and_ends_with_its_block(workers: Workers, odd: Path) -> None:
    """At 16 the model says something else when it is asked for the first time."""
    assert [await code(workers, odd, 16) for _ in range(2)] == [1, 0]
    async with workers.apart(odd, CONTRACT, seconds=20) as ask:
        assert [(await ask(pa.table({"age": [16.0]}))).values.tolist() for _ in range(2)] == [[1], [0]]
        assert [*workers.loaded] == [odd, odd]
    assert workers.loaded == (odd,)
    assert await code(workers, odd, 16) == 0


async def test_half_a_character_in_the_words_of_a_model_harms_nobody(workers: Workers, odd: Path) -> None:
    with pytest.raises(ModelFailed, match=r"^LookupError: half \? a letter$"):
        await code(workers, odd, 18)


async def test_a_worker_that_is_killed_from_outside_is_started_again(
    sandbox: Sandbox, workers: Workers, odd: Path
) -> None:
    served = Recording(sandbox)
    own = Workers(served)  # type: ignore[arg-type]
    assert await code(own, odd, 50) == 1
    assert await sandbox.stop(served.jobs[0].id)
    assert await code(own, odd, 50) == 1
    assert len(served.jobs) == 2
    await own.close()


@dataclass
class Recording:
    """A real sandbox, and the jobs that it was given."""

    sandbox: Sandbox
    jobs: list[Job] = field(default_factory=list)

    async def serve(self, job: Job) -> Any:
        self.jobs.append(job)
        return await self.sandbox.serve(job)


class Poison:
    """Runs its words when it is loaded."""

    def __init__(self, words: str) -> None:
        self.words = words

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (self.words,)


EVERY_PIPE = """
import os
for fd in range(99):
    try:
        os.write(fd, {words})
    except OSError:
        pass
{end}
"""


@pytest.mark.parametrize(
    ("words", "said_of_it"),
    [
        ("import os; os._exit(7)", "exit code 7"),
        ("import os; os.kill(0, 9)", "SIGKILL"),
        ("import os; os.kill(1, 9); open('/etc/hosts', 'w')", "not permitted|denied|Read-only"),
        (EVERY_PIPE.format(words="b'\\xff' * 64", end=""), "answer was larger than|one answer for each request"),
        (EVERY_PIPE.format(words="(0).to_bytes(8, 'big')", end=""), "not what our program writes|one answer for each"),
        (
            EVERY_PIPE.format(words="b'\\x80\\x04'", end="while True: pass"),
            "no answer within|one answer for",
        ),
    ],
)
async def test_a_poisoned_model_gets_nowhere(workers: Workers, tmp_path: Path, words: str, said_of_it: str) -> None:
    (tmp_path / "model.joblib").write_bytes(pickle.dumps(Poison(words)))
    with pytest.raises((ModelFailed, PredictionsRefused), match=said_of_it):
        await workers.predict(tmp_path, CONTRACT, ROWS, seconds=3)


async def test_a_table_and_its_rows_as_json_are_answered_alike(
    sandbox: Sandbox, workers: Workers, tmp_path: Path
) -> None:
    """Every kind of column, gaps included: what the model sees is the same and as pandas reads it from Parquet."""
    kinds = {
        "n": [1.5, None, 3.0],
        "whole": [1, 2, None],
        "word": ["a", None, "価格"],
        "flag": [True, None, False],
        "day": [datetime(2024, 2, 1), None, datetime(2024, 2, 3)],
        "answer": ["no", "yes", "no"],
    }
    contract = contract_for(kinds, "answer", roles={"flag": "boolean"})
    script = """
import joblib


class Looking:
    def predict(self, table):
        seen = [[repr(value) for value in row] for row in table.astype(object).where(table.notna(), None).to_numpy()]
        raise ValueError(list(zip(table.columns, map(str, table.dtypes))), seen)


if __name__ == "__main__":
    joblib.dump(Looking(), "outputs/model.joblib")
"""
    ran = await run(sandbox, script, {}, tmp_path / "train")
    assert ran.outcome.ok, ran.errors
    model = model_folder(tmp_path / "train", script)
    table = pa.table(kinds).drop_columns(["answer"])
    pq.write_table(table, tmp_path / "rows.parquet")
    seen = []
    for rows in (tmp_path / "rows.parquet", table, table.to_pylist()):
        with pytest.raises(ModelFailed) as shown:
            await workers.predict(model, contract, rows)
        seen.append(str(shown.value))
    assert seen[0] == seen[1]
    assert "('n', 'float64'), ('whole', 'float64'), ('word', 'str'), ('flag', 'object'), ('day', 'date" in seen[0]
    values = [text[text.index("[[") :] for text in seen]
    assert values[0] == values[2]
