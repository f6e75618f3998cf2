"""What cannot become a table: one clear sentence each, and nothing left behind."""

import gzip
import io
import os
import random
import threading
import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tools.ingest import IngestError, Limits, ingest

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600


def workbook(*rows: list[object]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def zipped(**entries: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name.replace("__", "/"), data)
    return content.getvalue()


def refused(source: Path, into: Path, sheet: str | None = None, limits: Limits | None = None) -> str:
    """The one sentence; the folder is as empty as before."""
    with pytest.raises(IngestError) as caught:
        ingest(source, into, sheet=sheet, limits=limits)
    assert list(into.iterdir()) == []
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


CASES: list[tuple[str, bytes, str]] = [
    ("t.csv", b"", "is empty (0 bytes)"),
    ("t.csv", b" \n \r\n\t", "holds only blank space"),
    ("t.csv", b"a,b,c\n", "has a header (3 columns) but no rows below it"),
    ("t.csv", b"a,b\n,\n,\n", "has a header (2 columns) but no rows below it"),
    ("t.csv", random.Random(0).randbytes(5000), "holds binary data, not a table"),
    ("t.csv", bytes(range(1, 32)) * 20, "holds binary data, not a table"),
    ("t.csv", b"%PDF-1.4\n%...", "is a PDF, not a table"),
    ("t.png", b"\x89PNG\r\n\x1a\n" + b"\x00" * 50, "is a PNG image, not a table"),
    ("t.csv", b"<!DOCTYPE html><html><body>Log in</body></html>", "is a web page or XML, not a table"),
    ("t.pkl", b"\x80\x04\x95\x10\x00\x00\x00", "is a pickle (pickles are never opened)"),
    ("t.db", b"SQLite format 3\x00" + b"\x00" * 100, "is an SQLite database"),
    ("t.zip", zipped(**{"a.csv": b"a,b\n1,2\n"}), "is a zip archive; unpack it"),
    ("t.csv.gz", gzip.compress(b"a,b\n1,2\n" * 1000)[:-20], "is a broken or incomplete .gz"),
    ("t.csv.gz", gzip.compress(b""), "is empty: nothing is packed in it"),
    ("t.csv.gz", gzip.compress(gzip.compress(b"a,b\n1,2\n")), "is a .gz inside a .gz"),
    ("t.csv.gz", gzip.compress(b"0" * 80_000_000), "unpacks to more than"),
    ("t.xlsx", OLE + "EncryptedPackage".encode("utf-16-le"), "is protected by a password; save it without one"),
    ("t.xlsx", OLE + "Workbook".encode("utf-16-le"), "is broken or incomplete"),
    ("t.doc", OLE + "WordDocument".encode("utf-16-le"), "is an old Office document"),
    ("t.xlsx", b"PK\x03\x04junk", "is broken or incomplete"),
    ("t.xlsx", workbook(["a", "b"], [1, 2])[:-300], "is broken or incomplete"),
    ("t.xlsx", workbook(), "Every visible sheet of t.xlsx is empty"),
    ("t.xlsx", workbook(["a", "b"]), "has a header (2 columns) but no rows below it"),
    ("t.xlsx", zipped(xl__workbook_xml=b""), "is a zip archive"),
    ("t.xlsx", zipped(**{"xl/workbook.xml": b"0" * 80_000_000}), "unpacks to more than"),
    ("t.json", b'{"a": 1', "is not valid JSON: Expecting ',' delimiter (line 1, column 8)"),
    ("t.json", b"[" * 100_000, "is nested too deeply to be a table"),
    ("t.json", b"[]", "holds no records"),
    ("t.json", b"[{}, {}]", "have no fields"),
    ("t.json", b'[{"a": 1}, 5]', "mixes objects with other values"),
    ("t.json", b'[{"a": ' + b"1" * 5000 + b"}]", "a number with thousands of digits"),
    ("t.json", b"a,b\n1,2\n", "does not begin like JSON"),
    ("t.parquet", b"PAR1" + b"x" * 100 + b"PAR1", "is broken or incomplete"),
    ("t.parquet", b"PARE" + b"x" * 100 + b"PARE", "is encrypted"),
]


@pytest.mark.parametrize(("name", "content", "expected"), CASES, ids=[case[2][:30] for case in CASES])
def test_a_file_that_is_no_table(name: str, content: bytes, expected: str, tmp_path: Path) -> None:
    source, into = tmp_path / name, tmp_path / "data"
    source.write_bytes(content)
    assert expected in refused(source, into)


def test_parquet_without_rows_and_cut_off(tmp_path: Path) -> None:
    source, into = tmp_path / "t.parquet", tmp_path / "data"
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), source)
    assert "has 1 column but no rows" in refused(source, into)
    pq.write_table(pa.table({"a": [1, 2]}), source)
    source.write_bytes(source.read_bytes()[:-10])
    sentence = refused(source, into)
    assert "is broken or incomplete" in sentence
    assert str(tmp_path) not in sentence


def test_no_file_a_folder_and_a_device(tmp_path: Path) -> None:
    into = tmp_path / "data"
    assert "There is no file" in refused(tmp_path / "nope.csv", into)
    assert "is a folder" in refused(tmp_path, into)
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file" in refused(tmp_path / "pipe", into)


def test_a_sheet_that_does_not_exist(tmp_path: Path) -> None:
    source = tmp_path / "t.xlsx"
    source.write_bytes(workbook(["a"], [1]))
    assert "has no sheet 'May'; it has 'Sheet'" in refused(source, tmp_path / "data", sheet="May")


def test_limits_are_said(tmp_path: Path) -> None:
    source, into = tmp_path / "t.csv", tmp_path / "data"
    source.write_text("a,b,c\n1,2,3\n")
    assert "at most 2 can be read" in refused(source, into, limits=Limits(columns=2))
    assert "can be read" in refused(source, into, limits=Limits(file=5))
    source.write_text('[{"a": 1, "b": 2, "c": 3}]')
    assert "more than 2 different fields" in refused(source, into, limits=Limits(columns=2))
    assert "write one object per line" in refused(source, into, limits=Limits(json_document=5))


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    source, into = tmp_path / "t.csv", tmp_path / "data"
    source.write_bytes(b"a,b\n" + b"1,2\n" * 12_000_000)
    stop = threading.Event()

    def grow() -> None:
        with source.open("ab") as file:
            while not stop.is_set():
                file.write(b"1,2\n")
                file.flush()

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        assert "changed while it was being read" in refused(source, into)
    finally:
        stop.set()
        writer.join()


def test_one_row_and_one_column_are_tables(tmp_path: Path) -> None:
    source = tmp_path / "t.csv"
    source.write_text("a\n1\n")
    assert ingest(source, tmp_path / "data").head() == [{"a": 1}]


def test_every_row_bad_is_one_sentence(tmp_path: Path) -> None:
    source = tmp_path / "t.ndjson"
    source.write_text('{"a": 1}\n' + "{bad\n" * 3)
    assert ingest(source, tmp_path / "data").rejected_total == 3


class Fleeting(type(Path())):  # type: ignore[misc]
    """A file that is deleted between the look at it and its opening."""

    def open(self, *arguments: object, **options: object) -> object:
        self.unlink()
        return super().open(*arguments, **options)


def test_a_file_that_is_deleted_while_it_is_read_is_said(tmp_path: Path) -> None:
    source = Fleeting(tmp_path / "t.csv")
    Path(source).write_text("a,b\n1,2\n")
    assert refused(source, tmp_path / "data") == "The file t.csv was deleted while it was being read."
