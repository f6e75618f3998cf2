"""Data in: what is in the file is in the table, and what had to be done to it is said."""

import datetime as dt
import gzip
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tools.ingest import Dataset, ingest

Reader = Callable[..., Dataset]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """Write content under a name and read it as a user's file."""

    def write_and_ingest(content: str | bytes, name: str = "table.csv", **options: Any) -> Dataset:
        source = tmp_path / name
        source.write_bytes(content.encode() if isinstance(content, str) else content)
        return ingest(source, tmp_path / "data", **options)

    return write_and_ingest


def types(dataset: Dataset) -> dict[str, str]:
    return {column.name: column.type for column in dataset.columns}


def values(dataset: Dataset, column: str) -> list[Any]:
    return [row[column] for row in dataset.head(1000)]


def test_a_plain_table_is_typed_and_needs_no_account(read: Reader) -> None:
    dataset = read("id,name,price,on\n1,ann,1.5,2024-01-02\n2,bob,2,2024-01-03\n")
    assert types(dataset) == {"id": "integer", "name": "text", "price": "number", "on": "date"}
    assert dataset.head(1) == [{"id": 1, "name": "ann", "price": 1.5, "on": dt.date(2024, 1, 2)}]
    assert (dataset.rows, dataset.account, dataset.rejected, dataset.source) == (2, (), (), "CSV, comma, UTF-8")


def test_a_dataset_survives_json(read: Reader) -> None:
    dataset = read("a,a,d\n1,x,01/02/2024\n2,y\n3,z,01/02/2024\n4,z,01/02/2024,9\n5,z,01/02/2024\n")
    assert Dataset.from_json(dataset.to_json()) == dataset
    assert dataset.rejected_total == 1
    assert dataset.columns[1].original == "a"


def test_the_id_is_the_hash_of_the_parquet_and_the_same_every_time(read: Reader) -> None:
    first = read("a,b\n1,x\n2,y\n")
    again = read("a;b\n1;x\n2;y\n", "other.csv")
    assert first.id == again.id == hashlib.sha256(first.path.read_bytes()).hexdigest()
    assert first.path == again.path
    assert read("a,b\n1,x\n2,z\n").id != first.id


def test_nothing_but_the_table_is_left_in_the_folder(read: Reader, tmp_path: Path) -> None:
    dataset = read("a,b\n1,2\n")
    assert list((tmp_path / "data").iterdir()) == [dataset.path]


def test_what_a_killed_process_left_is_cleared(read: Reader, tmp_path: Path) -> None:
    abandoned = tmp_path / "data" / ".reading-999999999-x"
    abandoned.mkdir(parents=True)
    (abandoned / "snapshot").write_text("half")
    read("a,b\n1,2\n")
    assert not abandoned.exists()


def test_row_order_is_kept_in_a_long_table(read: Reader) -> None:
    numbers = [(i * 7919) % 200_003 for i in range(200_000)]
    dataset = read("n,t\n" + "".join(f"{number},x\n" for number in numbers))
    assert pq.read_table(dataset.path)["n"].to_pylist() == numbers


# Values that other readers lose ------------------------------------------------------------------------------------


def test_leading_zeros_that_come_late_keep_a_column_text(read: Reader) -> None:
    dataset = read("zip\n" + "10115\n" * 20_000 + "00501\n")
    assert types(dataset) == {"zip": "text"}
    assert "1 value with leading zeros" in dataset.account[0]
    assert pq.read_table(dataset.path)["zip"][-1].as_py() == "00501"


def test_integers_beyond_2_to_53_stay_exact_beside_gaps(read: Reader) -> None:
    dataset = read("id,x\n9007199254740993,1\n,2\n-9223372036854775808,3\n")
    assert values(dataset, "id") == [9007199254740993, None, -9223372036854775808]


def test_integers_beyond_64_bits_become_text_and_it_is_said(read: Reader) -> None:
    dataset = read("id,x\n12345678901234567890,1\n7,2\n")
    assert values(dataset, "id") == ["12345678901234567890", "7"]
    assert "too large for a 64-bit integer" in dataset.account[0]


def test_a_long_integer_among_decimals_is_not_rounded(read: Reader) -> None:
    dataset = read("x,y\n9007199254740993,1\n1.5,2\n")
    assert values(dataset, "x") == ["9007199254740993", "1.5"]
    assert "would not stay exact" in dataset.account[0]


def test_one_late_decimal_makes_a_number_and_one_late_word_makes_text(read: Reader) -> None:
    ones = "1,1\n" * 20_000
    dataset = read(f"a,b\n{ones}3.75,unknown\n")
    assert types(dataset) == {"a": "number", "b": "text"}
    assert pq.read_table(dataset.path)["a"][-1].as_py() == 3.75
    assert dataset.account == ("Column 'b' stays text: 1 value such as 'unknown' is not a number.",)


def test_na_is_missing_among_numbers_and_namibia_among_countries(read: Reader) -> None:
    dataset = read("x,country\n1,NA\nNA,US\n?,DE\n,FR\n")
    assert values(dataset, "x") == [1, None, None, None]
    assert values(dataset, "country") == ["NA", "US", "DE", "FR"]
    assert dataset.account == (
        "Column 'x': 2 values such as 'NA' or '-' read as missing, since all others are numbers.",
    )


def test_infinities_are_kept_and_said(read: Reader) -> None:
    dataset = read("x,y\n1.5,1\ninf,2\n-Infinity,3\n")
    assert values(dataset, "x") == [1.5, float("inf"), float("-inf")]
    assert dataset.account == ("Column 'x' holds 2 infinite values, kept as they are.",)


def test_blanks_in_a_number_column_are_missing_and_counted(read: Reader) -> None:
    dataset = read("x,y\n1.5,a\n   ,b\n 2 ,c\n")
    assert values(dataset, "x") == [1.5, None, 2.0]
    assert dataset.account == ("Column 'x': 1 blank value read as missing.",)


def test_phone_numbers_keep_their_plus(read: Reader) -> None:
    assert values(read("p,x\n+4915112345,1\n+4915112346,2\n"), "p")[0] == "+4915112345"


def test_true_and_false_are_boolean_yes_and_no_stay_words(read: Reader) -> None:
    dataset = read("a,b\nTrue,yes\nFALSE,no\n")
    assert dataset.head() == [{"a": True, "b": "yes"}, {"a": False, "b": "no"}]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1,5", "2,25"], [1.5, 2.25]),
        (["1.234,5", "2.000,25"], [1234.5, 2000.25]),
        (["1,234.50", "2.00"], [1234.5, 2.0]),
        (["1 234", "12 345 678"], [1234, 12345678]),
        (["1'234.5", "12'345.0"], [1234.5, 12345.0]),
        (["$1,234.50", "$2.00"], [1234.5, 2.0]),
        (["12 €", "1.234 €"], [12.0, 1.234]),
        (["45%", "5 %"], [45, 5]),
        (["1e3", "2.5E-3"], [1000.0, 0.0025]),
        ([".5", "-7."], [0.5, -7.0]),
    ],
)
def test_numbers_as_people_write_them(read: Reader, cells: list[str], expected: list[float]) -> None:
    dataset = read("x\ty\n" + "".join(f"{cell}\ta\n" for cell in cells))
    assert values(dataset, "x") == expected


def test_a_comma_that_can_be_two_things_is_an_assumption_that_is_said(read: Reader) -> None:
    assert values(read('x,y\n"1,234",a\n"5,678",b\n'), "x") == [1234, 5678]
    dataset = read("x;y\n1,234;a\n5,678;b\n")
    assert values(dataset, "x") == [1.234, 5.678]
    assert "the comma was taken for a decimal mark; it could mean something else" in dataset.account[0]
    assert dataset.columns[0].note == "the comma was taken for a decimal mark"


def test_mixed_currencies_stay_text(read: Reader) -> None:
    assert types(read("x,y\n$5,a\n€6,b\n"))["x"] == "text"


# Dates -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["2024-01-02", "2024-12-31"], [dt.date(2024, 1, 2), dt.date(2024, 12, 31)]),
        (["2024/1/2", "2024/12/31"], [dt.date(2024, 1, 2), dt.date(2024, 12, 31)]),
        (["31.12.2024", "1.2.2024"], [dt.date(2024, 12, 31), dt.date(2024, 2, 1)]),
        (["12/31/24", "1/2/99"], [dt.date(2024, 12, 31), dt.date(1999, 1, 2)]),
        (["5-Jan-2020", "15-feb-2021"], [dt.date(2020, 1, 5), dt.date(2021, 2, 15)]),
        (["January 5, 2020", "June 15, 2021"], [dt.date(2020, 1, 5), dt.date(2021, 6, 15)]),
        (["9/30/1990 0:00:00", "11/29/1993 0:00:00"], [dt.date(1990, 9, 30), dt.date(1993, 11, 29)]),
        (
            ["2024-01-02T03:04:05", "2024-01-02 03:04:05.25"],
            [dt.datetime(2024, 1, 2, 3, 4, 5), dt.datetime(2024, 1, 2, 3, 4, 5, 250_000)],
        ),  # fmt: skip
        (
            ["2024-01-02T00:30:00+02:00", "2024-01-02T00:30:00Z"],
            [dt.datetime(2024, 1, 1, 22, 30), dt.datetime(2024, 1, 2, 0, 30)],
        ),  # fmt: skip
        (["1/22/2024 12:05 AM", "1/2/2024 1:05 pm"], [dt.datetime(2024, 1, 22, 0, 5), dt.datetime(2024, 1, 2, 13, 5)]),
        (["2024-02-29", "2023-02-29"], ["2024-02-29", "2023-02-29"]),
        (["10:00", "11:30"], ["10:00", "11:30"]),
        (["1.2.10", "1.13.11"], ["1.2.10", "1.13.11"]),
    ],
)
def test_dates_as_people_write_them(read: Reader, cells: list[str], expected: list[Any]) -> None:
    assert values(read("d|y\n" + "".join(f"{cell}|a\n" for cell in cells)), "d") == expected


def test_day_and_month_that_can_be_swapped_are_flagged(read: Reader) -> None:
    dataset = read("d,x\n01/02/2024,1\n03/04/2024,2\n02/05/2023,2\n")
    assert values(dataset, "d")[0] == dt.date(2024, 1, 2)
    assert "could be swapped" in dataset.columns[0].note
    assert "(an assumption)" in dataset.account[0]


def test_another_column_tells_which_is_the_day(read: Reader) -> None:
    dataset = read("d,e\n01/02/2024,13/02/2024\n03/04/2024,14/02/2024\n")
    assert values(dataset, "d") == [dt.date(2024, 2, 1), dt.date(2024, 4, 3)]
    assert "as in the table's other dates" in dataset.account[0]


def test_the_order_of_the_rows_tells_which_is_the_day(read: Reader) -> None:
    dataset = read("d,x\n10/01/2024,1\n11/01/2024,2\n01/02/2024,3\n")
    assert values(dataset, "d")[2] == dt.date(2024, 2, 1)
    assert "only so are they in order" in dataset.account[0]


# How text tables are written ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", ":", "~", "^"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_any_delimiter_and_line_end(read: Reader, delimiter: str, newline: str) -> None:
    rows = [["a", "b", "c"], ["1", "x", "2.5"], ["2", "y", "3.5"]]
    dataset = read(newline.join(delimiter.join(row) for row in rows) + newline)
    assert dataset.head() == [{"a": 1, "b": "x", "c": 2.5}, {"a": 2, "b": "y", "c": 3.5}]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1", "mac-roman"]
)
def test_any_encoding(read: Reader, encoding: str) -> None:
    text = "name,city\nJosé,Málaga\nJürgen,Köln\nFrançois,Orléans\nZoë,Zürich\n"
    dataset = read(text.encode(encoding))
    if encoding != "mac-roman":
        assert values(dataset, "city") == ["Málaga", "Köln", "Orléans", "Zürich"]
    assert dataset.rows == 4


@pytest.mark.parametrize(
    ("encoding", "city"),
    [("cp1251", "Москва"), ("cp932", "東京は日本の首都です"), ("gb18030", "北京是中国的首都"), ("cp1250", "Łódź")],
)
def test_a_guessed_encoding_is_said(read: Reader, encoding: str, city: str) -> None:
    dataset = read(f"name,city\n{city},{city}\n{city} {city},{city}\n".encode(encoding))
    assert values(dataset, "city") == [city, city]
    assert dataset.account[0].startswith("The text is not UTF-8; it was read as")


def test_quoted_newlines_delimiters_and_quotes(read: Reader) -> None:
    dataset = read('a,b\n"x\ny, z",1\n"he said ""hi""",2\n3" pipe,3\n')
    assert values(dataset, "a") == ["x\ny, z", 'he said "hi"', '3" pipe']


def test_quotes_escaped_with_a_backslash_and_paths_that_end_in_one(read: Reader) -> None:
    assert values(read('a,b\n"x \\"y\\" z",2\n"q",4\n'), "a") == ['x "y" z', "q"]
    assert values(read('a,b\n"C:\\dir\\",2\n"D:\\x",3\n'), "a") == ["C:\\dir\\", "D:\\x"]


def test_single_quotes(read: Reader) -> None:
    assert values(read("a;b\n'x;1';2\n'y;2';4\n"), "a") == ["x;1", "y;2"]


def test_title_lines_and_a_separator_line_are_skipped_and_said(read: Reader) -> None:
    dataset = read("Report 2024\nby it's me\n\na,b,c\n1,2,3\n4,5,6\n")
    assert dataset.head() == [{"a": 1, "b": 2, "c": 3}, {"a": 4, "b": 5, "c": 6}]
    assert dataset.account == ("2 lines above the table left out, beginning with 'Report 2024'.",)
    assert read("sep=;\r\na;b\r\n1;2\r\n").head() == [{"a": 1, "b": 2}]


def test_a_table_without_a_header_gets_numbered_columns(read: Reader) -> None:
    dataset = read("1,x,2.5\n2,y,3.5\n3,z,4.5\n")
    assert dataset.names == ("column_1", "column_2", "column_3")
    assert dataset.rows == 3
    assert dataset.account == ("The table has no header; its columns were numbered.",)


def test_years_over_numbers_are_names(read: Reader) -> None:
    assert read("country,2019,2020\nDE,1.5,2\nFR,3,4.5\n").names == ("country", "2019", "2020")


def test_a_header_of_several_lines(read: Reader) -> None:
    dataset = read('"a\nb",c\n1,2\n3,4,5\n6,7\n' + "8,9\n" * 20)
    assert dataset.names == ("a b", "c")
    assert [row.line for row in dataset.rejected] == [4]


def test_repeated_and_empty_names_are_made_unique_and_said(read: Reader) -> None:
    dataset = read("a,a,A,,a_2\n1,2,3,4,5\n2,3,4,5,6\n")
    assert dataset.names == ("a", "a_3", "A_4", "column_4", "a_2")
    assert [column.original for column in dataset.columns] == ["", "a", "A", "", ""]
    assert dataset.account == (
        "1 column without a name called 'column_4'.",
        "2 columns with a repeated name renamed to 'a_3', 'A_4'.",
    )


def test_names_that_look_like_sql_are_only_names(read: Reader) -> None:
    name = 'a"); DROP TABLE raw; --'
    assert read(f"{name.replace(chr(34), chr(39))},b\n1,2\n").rows == 1
    assert read('"a""); DROP TABLE raw; --",b\n1,2\n').names == (name, "b")


def test_row_names_of_r(read: Reader) -> None:
    dataset = read('"x" "y"\n"1" 2 3\n"2" 4 5\n')
    assert dataset.names == ("row_name", "x", "y")
    assert "first column was called 'row_name'" in dataset.account[0]


def test_columns_aligned_by_blanks(read: Reader) -> None:
    assert read("a   b    c\n1   2   3\n10  20  30\n").head(1) == [{"a": 1, "b": 2, "c": 3}]


def test_one_column_of_prose_is_one_column(read: Reader) -> None:
    dataset = read("note\nSmith, John\nhello world: yes\nbaz\n")
    assert values(dataset, "note") == ["Smith, John", "hello world: yes", "baz"]


def test_mixed_line_ends(read: Reader) -> None:
    assert values(read(b"a,b\r\n1,2\n3,4\r\n5,6"), "b") == [2, 4, 6]


def test_gz_is_unpacked(read: Reader) -> None:
    assert read(gzip.compress(b"a,b\n1,2\n"), "t.csv.gz").head() == [{"a": 1, "b": 2}]
    assert read(gzip.compress(b'[{"a": 1}, {"a": 2}]'), "t.json.gz").rows == 2


# Bad rows ----------------------------------------------------------------------------------------------------------


def test_rows_of_the_wrong_width_are_rejected_with_line_reason_and_text(read: Reader) -> None:
    dataset = read("a,b\n" + "1,2\n" * 50 + "1,2,3\n4\n" + "1,2\n" * 50)
    assert dataset.rows == 100
    assert [(row.line, row.reason, row.text) for row in dataset.rejected] == [
        (52, "more cells than the header", "1,2,3"),
        (53, "fewer cells than the header", "4"),
    ]
    assert dataset.account == (
        "2 rows could not be read and are not in the table; the first is line 52 (more cells than the header).",
    )


def test_many_short_rows_are_padded(read: Reader) -> None:
    dataset = read("a,b,c\n" + "1,2\n" * 5 + "1,2,3\n" * 6)
    assert values(dataset, "c") == [None] * 5 + [3] * 6
    assert dataset.account == ("5 rows had fewer cells than the header; the rest was left missing.",)


def test_an_open_quote_costs_one_row_not_the_rest_of_the_file(read: Reader) -> None:
    dataset = read('a,b\n1,x\n2,"y\n' + "".join(f"{i},z{i}\n" for i in range(2000)))
    assert dataset.rows == 2001
    assert [(row.line, row.text) for row in dataset.rejected] == [(3, '2,"y')]


def test_the_list_of_rejected_rows_is_capped_and_the_total_is_not(read: Reader) -> None:
    dataset = read("a,b\n" + "1,2\n" * 5000 + "1,2,3\n" * 400)
    assert (dataset.rejected_total, len(dataset.rejected)) == (400, 100)


def test_empty_rows_inside_are_kept_and_at_the_end_left_out(read: Reader) -> None:
    dataset = read("a,b\n1,2\n,\n3,4\n,\n,\n")
    assert values(dataset, "a") == [1, None, 3]
    assert dataset.account == ("2 empty rows at the end left out.",)


# Other formats -----------------------------------------------------------------------------------------------------


def workbook(*rows: list[Any], title: str = "Sheet", more: tuple[str, ...] = ()) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append(row)
    for name in more:
        book.create_sheet(name).append(["other", "table"])
        book[name].append([1, 2])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def test_a_workbook_keeps_every_kind_of_value(read: Reader) -> None:
    moment = dt.datetime(2024, 1, 2, 3, 4, 5)
    content = workbook(
        ["id", "zip", "day", "at", "ok", "x", "gap"],
        [1, "00501", dt.date(2024, 1, 2), moment, True, 1.5, None],
        [2, "10115", dt.date(2024, 1, 3), moment, False, 2, "NA"],
    )
    dataset = read(content, "t.xlsx")
    assert types(dataset) == {
        "id": "integer", "zip": "text", "day": "date", "at": "datetime", "ok": "boolean", "x": "number", "gap": "text",
    }  # fmt: skip
    assert list(dataset.head(1)[0].values()) == [1, "00501", dt.date(2024, 1, 2), moment, True, 1.5, None]


def test_a_workbook_with_a_title_and_several_sheets(read: Reader) -> None:
    content = workbook(["Sales"], [], ["a", "b"], [1, 2], [3, 4], title="First", more=("Second",))
    dataset = read(content, "t.xlsx")
    assert dataset.head() == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert dataset.account[0] == "The workbook has 2 sheets; 'First' was read, not 'Second'."
    assert read(content, "t.xlsx", sheet="Second").names == ("other", "table")


def test_a_workbook_is_known_by_its_content(read: Reader) -> None:
    assert read(workbook(["a"], [1], [2]), "misnamed.csv").rows == 2


def parquet(table: pa.Table) -> bytes:
    content = io.BytesIO()
    pq.write_table(table, content)
    return content.getvalue()


def test_parquet_keeps_its_types(read: Reader) -> None:
    table = pa.table(
        {
            "small": pa.array([1, None], pa.int8()),
            "big": pa.array([2**64 - 1, 1], pa.uint64()),
            "float": pa.array([1.5, float("nan")]),
            "text": ["00501", "17"],
            "at": pa.array([dt.datetime(2024, 1, 1, 1), None], pa.timestamp("ns")),
            "zone": pa.array([dt.datetime(2024, 1, 1, 1), None], pa.timestamp("us", "Europe/Berlin")),
            "nested": [{"x": 1, "y": {"z": "q"}}, None],
            "list": [[1, 2], None],
            "kind": pa.array(["x", "y"]).dictionary_encode(),
            "binary": pa.array([b"abc", b"de"]),
        }
    )
    dataset = read(parquet(table), "t.parquet")
    assert dataset.head(1) == [
        {
            "small": 1, "big": "18446744073709551615", "float": 1.5, "text": "00501", "at": dt.datetime(2024, 1, 1, 1),
            "zone": dt.datetime(2024, 1, 1, 1), "nested.x": 1, "nested.y.z": "q", "list": "[1,2]", "kind": "x",
            "binary": "abc",
        }
    ]  # fmt: skip
    assert "Column 'float': 1 NaN value read as missing." in dataset.account


def test_json_in_its_usual_shapes(read: Reader) -> None:
    expected = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    for content in (
        '[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]',
        '{"meta": 5, "response": {"items": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]}}',
        '{"a": [1, 2], "b": ["x", "y"]}',
        '{"a": {"0": 1, "1": 2}, "b": {"0": "x", "1": "y"}}',
        '{"columns": ["a", "b"], "index": [0, 1], "data": [[1, "x"], [2, "y"]]}',
        '[["a", "b"], [1, "x"], [2, "y"]]',
        '{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n',
    ):
        assert read(content, "t.json").head() == expected


def test_nested_json_is_opened_and_lists_are_kept_as_json(read: Reader) -> None:
    dataset = read('[{"a": {"b": 1.5, "c": [1, {"d": 2}]}}, {"a": {"b": 2}, "e": "é"}]', "t.json")
    assert dataset.head() == [
        {"a.b": 1.5, "a.c": '[1, {"d": 2}]', "e": None},
        {"a.b": 2.0, "a.c": None, "e": "é"},
    ]
    assert len(dataset.account) == 2


def test_json_integers_of_any_size_stay_exact(read: Reader) -> None:
    dataset = read('[{"a": 9007199254740993, "b": 123456789012345678901234567890}]', "t.json")
    assert dataset.head() == [{"a": 9007199254740993, "b": "123456789012345678901234567890"}]


def test_broken_lines_of_ndjson_are_listed(read: Reader) -> None:
    dataset = read('{"a":1}\n{"a":2,"b":"x"}\n{bad\n[1]\n{"a":3}\n', "t.ndjson")
    assert values(dataset, "a") == [1, 2, 3]
    assert [(row.line, row.reason) for row in dataset.rejected] == [(3, "not valid JSON"), (4, "not an object")]


def test_a_wide_table_is_read_in_one_go(read: Reader) -> None:
    width = 2_000
    header = ",".join(f"c{i}" for i in range(width))
    row = ",".join(("1.5", "x", "2024-01-02", "007")[i % 4] for i in range(width))
    dataset = read(f"{header}\n{row}\n{row}\n")
    assert [column.type for column in dataset.columns[:4]] == ["number", "text", "date", "text"]
    assert len(dataset.columns) == width


@pytest.mark.slow
def test_ten_thousand_columns(read: Reader) -> None:
    width = 10_000
    lines = [",".join(f"c{i}" for i in range(width))]
    lines += [",".join(str((i * j) % 97 / (1 if i % 2 else 7)) for i in range(width)) for j in range(1, 30)]
    dataset = read("\n".join(lines) + "\n")
    assert (dataset.rows, len(dataset.columns)) == (29, width)
    assert {column.type for column in dataset.columns} == {"number"}


# The shared tables -------------------------------------------------------------------------------------------------

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.mark.parametrize(
    ("name", "rows", "expected"),
    [
        ("telco_churn.csv", 7043, {"customerID": "text", "tenure": "integer", "TotalCharges": "number"}),
        ("titanic.csv", 891, {"PassengerId": "integer", "Age": "number", "Ticket": "text"}),
        ("penguins.csv", 344, {"species": "text", "body_mass_g": "number"}),
        ("wine_quality.csv", 6492, {"quality": "integer", "type": "text"}),
        ("bird_strikes.csv", 17519, {"date": "date", "height": "number", "birds_struck": "text"}),
        ("california.csv", 20640, {"median_house_value": "number", "ocean_proximity": "text"}),
        ("bike_hour.csv", 17379, {"dteday": "date", "cnt": "integer"}),
        ("taxis_tip.csv", 6433, {"pickup": "datetime", "tip": "number"}),
    ],
)
def test_the_shared_tables_load_whole(name: str, rows: int, expected: dict[str, str], tmp_path: Path) -> None:
    if not (SHARED / name).exists():
        pytest.skip("the shared tables are not beside the repository")
    dataset = ingest(SHARED / name, tmp_path)
    assert (dataset.rows, dataset.rejected_total) == (rows, 0)
    assert expected.items() <= types(dataset).items()


@pytest.mark.parametrize("text", ["name,x\nMuñoz,1\nPeña,2", "name,x\nNuñez,1\n", "name,x\nMüller,1\nStraße,2\n"])
def test_a_few_accented_letters_are_no_chinese(read: Reader, text: str) -> None:
    dataset = read(text.encode("cp1252"))
    assert values(dataset, "name") == [line.split(",")[0] for line in text.split()[1:]]


def test_lines_of_two_encodings_are_read_each_in_its_own(read: Reader) -> None:
    lines = [b"name,x", "Müller,1".encode(), "Peña,2".encode("latin-1"), "Große,3".encode(), b"Tom,4"]
    dataset = read(b"\n".join(lines))
    assert values(dataset, "name") == ["Müller", "Peña", "Große", "Tom"]
    said = "The text is UTF-8 in part only; 1 line was read as Windows-1252, the likeliest encoding."
    assert dataset.account == (said,)


def test_one_column_of_dates_with_commas_keeps_its_name(read: Reader) -> None:
    dataset = read("d\nJan 5, 2024\nFeb 6, 2024")
    assert values(dataset, "d") == [dt.date(2024, 1, 5), dt.date(2024, 2, 6)]
    assert dataset.account == ()


def test_one_column_of_decimal_commas_keeps_its_name(read: Reader) -> None:
    assert values(read("price\n1,5\n2,7\n"), "price") == [1.5, 2.7]


def test_a_title_above_two_columns_is_still_a_title(read: Reader) -> None:
    assert read("Sales\nx,y\n1,2\n3,4\n").head() == [{"x": 1, "y": 2}, {"x": 3, "y": 4}]


def test_durations_of_parquet_are_said_with_their_unit(read: Reader) -> None:
    waits = pa.array([dt.timedelta(seconds=1), None], pa.duration("us"))
    inner = pa.array([{"x": 5}, {"x": 6}], pa.struct([("x", pa.duration("s"))]))
    dataset = read(parquet(pa.table({"wait": waits, "s": inner})), "t.parquet")
    assert values(dataset, "wait") == [1_000_000, None]
    assert "Column 'wait' holds durations; they were read as whole microseconds." in dataset.account
    assert "Column 's.x' holds durations; they were read as whole seconds." in dataset.account


@pytest.mark.parametrize("text", ['[{"a": 1, "a": 2}, {"a": 3}]', '{"a": 1, "a": 2}\n{"a": 3}\n'])
def test_a_field_that_is_there_twice_is_said(read: Reader, text: str) -> None:
    dataset = read(text, "t.json")
    assert values(dataset, "a") == [2, 3]
    assert dataset.account == ("1 object with a field that is there twice; its last value was kept.",)
