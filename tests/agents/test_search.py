"""The improvement search through the whole door, with a real sandbox: the reported winner is right each time."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.state import Decision
from chat_app.conductor import Policy, open_conductor
from chat_app.settings import Settings
from sandbox.base import Sandbox
from tests.chat_app.scenes import to_the_end, until
from tests.openai_server import ModelServer, answers, fails, serving
from tests.search_scene import (
    END,
    IMPROVED,
    REQUEST,
    ROWS,
    SECRET,
    Kept,
    ended,
    endpoint,
    proposal,
    proposals,
    say,
    steps,
    told,
    write_table,
)

LEAK = IMPROVED.replace("labels = table.pop(TARGET)", "labels = table[TARGET]")
FAKE = """
    sure = len(CLASSES) / 2
    tell("leaderboard", rows=[{"model": "mine", "cv_score": sure, "seconds": sure}])"""


ROW = "    return pd.DataFrame(out, index=table.index)\n"
COLUMN = f"""    ratio = out["debt"] / out["income"]
    out["part"] = ratio - np.floor(ratio)
{ROW}

NUMBERS = [*NUMBERS, "part"]
"""
"""A computed column, the way in which the prompt asks for one."""
CLIMBS = 'for place in Path("/").rglob("holdout_labels.parquet"):\n    print(pd.read_parquet(place))'
GUESSES = 'KNOWN = pd.read_parquet("inputs/holdout_labels.parquet")'
NOTHING_NEW = proposals(proposal("the same again", edits=[(END, f"SPARE = 1\n{END}")]))


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """A model on loopback."""
    with serving() as running:
        yield running


async def test_what_gains_wins_and_what_cheats_does_not(server: ModelServer, sandbox: Sandbox, tmp_path: Path) -> None:
    first = proposals(
        proposal("a mistake", edits=[(END, f"LEVELS = {{}}\nLEVELS['{SECRET}']\n{END}")]),
        proposal("the answer itself", script=LEAK),
        proposal("the fraction of a ratio decides", script=IMPROVED),
    )
    second = proposals(proposal("claims much", edits=[(END, END + FAKE)]))
    server.heard.clear()
    events, report = await told(
        tmp_path, sandbox, server, answers(first), answers(second), answers(NOTHING_NEW), whole=True
    )
    found, end = steps(events), ended(events)
    assert [found[node]["status"] for node in range(6)] == ["scored", "failed", "blocked", "scored", "scored", "scored"]
    assert found[3]["best"]
    assert found[3]["gain_low"] > 0
    assert [found[node]["kind"] for node in range(5)] == ["recipe", "draft", "draft", "draft", "draft"]
    assert max(found[0]["value"], found[4]["value"]) < 0.75, "what a script prints about itself counts nothing"
    assert "target" in found[2]["sentence"]
    assert (end["chosen"], end["candidate"], end["tried"], end["looks"]) == (3, 3, 5, 2)
    assert end["gain_low"] > 0
    assert report["author"] == "model"
    assert report["metric"]["value"] > 0.85
    assert report["holdout_looks"] == 2
    search = report["search"]
    assert (search["stands"], search["tried"], len(search["scripts"])) == (3, 5, 6)
    assert search["why_it_ended"] == "The last 2 rounds gained nothing."
    delivered = {one.payload["name"]: one.payload["sha256"] for one in events if one.type == "ARTIFACT_ADDED"}
    assert {f"search/script_{node}.py" for node in range(1, 6)} <= set(delivered)
    assert delivered["train.py"] == found[3]["code_hash"]
    sent = b"".join(server.heard).decode()
    assert "KeyError" in sent
    assert "debt" in sent
    assert SECRET not in sent
    assert "Berlin" not in sent
    calls = [one.payload for one in events if one.type == "MODEL_CALLED"]
    assert [call["outcome"] for call in calls] == ["ok"] * 3


async def test_a_search_that_finds_nothing_looks_at_no_sealed_row(
    server: ModelServer, sandbox: Sandbox, tmp_path: Path
) -> None:
    thieves = [proposal("looks for the labels", edits=[(END, f"{lines}\n{END}")]) for lines in (CLIMBS, GUESSES)]
    events, _ = await told(tmp_path, sandbox, server, answers(proposals(*thieves)), fails(401))
    assert list((tmp_path / "home").rglob("holdout_labels.parquet")), "they are there"
    found, end = steps(events), ended(events)
    assert [found[node]["status"] for node in (1, 2)] == ["blocked", "blocked"]
    assert "outside the working folder" in found[1]["sentence"]
    assert (end["chosen"], end["candidate"], end["looks"]) == (0, 0, 0)
    assert end["sentence"].endswith("None was ahead of the recipe beyond chance; it stands.")


@pytest.mark.slow
async def test_the_user_is_asked_once_and_may_be_asked_for_every_script(
    server: ModelServer, sandbox: Sandbox, tmp_path: Path
) -> None:
    server.plays(answers(proposals(proposal("a ratio", script=IMPROVED), *NOTHING_NEW["proposals"])), fails(401))
    table = write_table(tmp_path / "loans.csv")
    async with open_conductor(Settings(home=tmp_path / "home", code=endpoint(server)), Kept(sandbox)) as conductor:
        project = await conductor.new_project(policy=Policy(contract=False, code=True))
        assert (await conductor.start(project, REQUEST, [table], budget_seconds=6, improve=600)).accepted
        await say(conductor, project, "code", Decision(action="approve"))
        asked = await say(conductor, project, "search", Decision(action="answer", answer="ask me about each script"))
        assert asked.payload["payload"]["choices"][0] == "Yes, all of them"
        assert "m at 127.0.0.1" in asked.payload["payload"]["text"]
        one = await say(conductor, project, "script", Decision(action="reject"), asked.seq)
        assert one.payload["payload"]["code"].startswith("import joblib")
        assert "+class Ratio:" in one.payload["payload"]["diff"]
        await say(conductor, project, "script", Decision(action="approve"), one.seq)
        await until(conductor, project, lambda found: found.type == "SEARCH_ENDED")
        await conductor.stop(project, keep=False)
        events = await to_the_end(conductor, project)
    found = steps(events)
    assert (found[1]["status"], found[2]["status"]) == ("refused", "scored")
    assert ended(events)["chosen"] == 0


@pytest.mark.slow
async def test_no_is_no(server: ModelServer, sandbox: Sandbox, tmp_path: Path) -> None:
    server.plays(fails(401))
    table = write_table(tmp_path / "loans.csv")
    async with open_conductor(Settings(home=tmp_path / "home", code=endpoint(server)), Kept(sandbox)) as conductor:
        project = await conductor.new_project(policy=Policy(contract=False, code=True))
        assert (await conductor.start(project, REQUEST, [table], budget_seconds=6, improve=600)).accepted
        await say(conductor, project, "code", Decision(action="approve"))
        await say(conductor, project, "search", Decision(action="reject"))
        await until(conductor, project, lambda found: found.type == "SCORED")
        await conductor.stop(project, keep=False)
        events = await to_the_end(conductor, project)
    assert ended(events)["sentence"] == "Improvement search: No script was tried. You said no to it. The recipe stands."
    assert not server.asked


@pytest.mark.slow
async def test_a_gain_that_the_sealed_rows_do_not_confirm_is_no_gain(
    server: ModelServer, sandbox: Sandbox, tmp_path: Path
) -> None:
    """A script that learns well from few rows alone is ahead on rows kept aside, and loses when it gets all of them."""
    learns = "self.classes_ = self.tree.classes_"
    moody = IMPROVED.replace(
        learns,
        f"if len(table) > {ROWS * 0.7}:\n            self.tree.fit(self.columns(table) * 0, labels)\n        {learns}",
    )
    assert moody != IMPROVED
    server.heard.clear()
    events, report = await told(
        tmp_path, sandbox, server, answers(proposals(proposal("moody", script=moody))), fails(401), whole=True
    )
    end = ended(events)
    assert steps(events)[1]["gain_low"] > 0
    assert (end["chosen"], end["candidate"], end["looks"]) == (0, 1, 2)
    assert end["gain_low"] < 0
    assert (report["author"], report["search"]["stands"], report["holdout_looks"]) == ("recipe", 0, 2)
    assert "the recipe's result stands" in report["search"]["sentence"]
    assert report["budget_seconds"] == 606


@pytest.mark.slow
async def test_a_search_that_was_cut_off_goes_on_where_it_was(
    server: ModelServer, sandbox: Sandbox, tmp_path: Path
) -> None:
    server.plays(answers(proposals(proposal("a ratio", edits=[(ROW, COLUMN)]))), fails(401))
    settings, table = Settings(home=tmp_path / "home", code=endpoint(server)), write_table(tmp_path / "loans.csv")
    async with open_conductor(settings, Kept(sandbox)) as conductor:
        project = await conductor.new_project(policy=Policy(False, False))
        assert (await conductor.start(project, REQUEST, [table], budget_seconds=6, improve=600)).accepted
        await until(conductor, project, lambda one: one.type == "SEARCH_STEP" and one.payload["node"] == 1)
    server.plays(fails(401))
    async with open_conductor(settings, Kept(sandbox)) as conductor:
        assert await conductor.recover() == [project]
        await until(conductor, project, lambda one: one.type == "SEARCH_ENDED")
        await conductor.stop(project, keep=False)
        events = await to_the_end(conductor, project)
    told_of = [(one.payload["node"], one.payload["status"]) for one in events if one.type == "SEARCH_STEP"]
    assert sorted(told_of) == [(0, "running"), (0, "scored"), (1, "running"), (1, "scored")]
    assert ended(events)["chosen"] == 1


@pytest.mark.slow
async def test_where_the_budget_leaves_no_time_nobody_is_asked(
    server: ModelServer, sandbox: Sandbox, tmp_path: Path
) -> None:
    events, _ = await told(tmp_path, sandbox, server, fails(401), improve=None)
    assert re.search(r"no time for it; with \d+0 s added \(--improve-seconds\) it would", ended(events)["sentence"])
    assert not server.asked
