"""The result folder: never over other people's files, all or nothing."""

import json
from pathlib import Path

import pytest

from agents.events import Envelope
from chat_app.delivery import MARK, DeliveryError, Destination, choose, deliver

LOG = [Envelope("id", "project", 1, "2026-01-01T00:00:00+00:00", "TURN_ENDED", None, "system", {"outcome": "done"})]


def source(tmp_path: Path, text: str = "{}") -> dict[str, Path]:
    file = tmp_path / "kept.json"
    file.write_text(text)
    return {"report.json": file, "charts/roc.png": file}


def test_without_out_a_new_folder_is_named_after_the_table(tmp_path: Path) -> None:
    first = choose(None, "data/customers.csv.gz", tmp_path)
    assert first.folder == tmp_path / "modelwright-customers-1"
    deliver(first, source(tmp_path), LOG)
    assert choose(None, "customers.csv", tmp_path).folder.name == "modelwright-customers-2"


def test_the_folder_holds_the_files_and_the_log_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    folder = deliver(choose(tmp_path / "new" / "out", "x.csv", tmp_path), source(tmp_path), LOG)
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == [
        "charts/roc.png",
        "events.jsonl",
        "report.json",
    ]
    assert json.loads((folder / MARK).read_text()) == LOG[0].to_json()
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


def test_two_runs_that_chose_the_same_number_both_keep_their_files(tmp_path: Path) -> None:
    one, two = (choose(None, "x.csv", tmp_path) for _ in range(2))
    assert one == two
    assert {deliver(each, source(tmp_path), LOG).name for each in (one, two)} == {"modelwright-x-1", "modelwright-x-2"}


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(DeliveryError, match="holds other files"):
        choose(tmp_path, "x.csv", tmp_path)


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(DeliveryError, match="is a file"):
        choose(tmp_path / "out", "x.csv", tmp_path)


def test_a_place_where_nothing_can_be_written_is_said_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="Nothing can be written"):
        choose(Path("/proc/modelwright-out"), "x.csv", tmp_path)


def test_an_earlier_result_is_replaced_and_notes_beside_it_stay(tmp_path: Path) -> None:
    out = tmp_path / "out"
    deliver(choose(out, "x.csv", tmp_path), source(tmp_path, "old"), LOG)
    (out / "notes.md").write_text("mine")
    (out / "charts" / "stale.png").write_text("old")
    again = choose(out, "x.csv", tmp_path)
    assert again.replaces
    deliver(again, source(tmp_path, "new"), LOG)
    assert (out / "report.json").read_text() == "new"
    assert (out / "notes.md").read_text() == "mine"
    assert not (out / "charts" / "stale.png").exists()


def test_an_existing_empty_folder_is_filled_in_place(tmp_path: Path) -> None:
    out = tmp_path / "mount-point"
    out.mkdir()
    before = out.stat().st_ino
    deliver(choose(out, "x.csv", tmp_path), source(tmp_path), LOG)
    assert out.stat().st_ino == before
    assert not list(out.glob(".modelwright-*"))


def test_a_copy_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    out = tmp_path / "out"
    files = {**source(tmp_path), "model/model.joblib": tmp_path / "gone"}
    with pytest.raises(OSError, match="gone"):
        deliver(Destination(out), files, LOG)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.json"]
