"""Text and metrics come apart correctly however the bytes are cut."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.base import Metric, Output
from sandbox.streams import Splitter, parse


def split(*chunks: bytes) -> list[Output | Metric]:
    splitter = Splitter("stdout")
    events = [event for chunk in chunks for event in splitter.feed(chunk)]
    return [*events, *splitter.finish()]


def test_a_metric_may_come_in_pieces() -> None:
    events = split(b"a\n@", b"@{", b'"x": 1', b"}\nb")
    assert events == [Output("stdout", "a\n"), Metric({"x": 1}), Output("stdout", "b")]


def test_text_without_an_end_of_line_is_shown_at_once() -> None:
    assert list(Splitter("stdout").feed(b"working...")) == [Output("stdout", "working...")]


def test_a_mark_in_mid_line_is_text() -> None:
    assert split(b"a ", b"@@{}\n") == [Output("stdout", "a "), Output("stdout", "@@{}\n")]


def test_the_last_line_may_be_a_metric_without_an_end() -> None:
    assert split(b'@@{"x": 1}') == [Metric({"x": 1})]


def test_a_metric_longer_than_any_honest_one_is_text() -> None:
    line = b'@@{"x": "' + b"y" * 70_000 + b'"}\n'
    assert all(isinstance(event, Output) for event in split(line))


def test_numbers_that_are_no_json_become_none() -> None:
    metric = parse('@@{"a": NaN, "b": Infinity, "c": 1e999, "d": 1.5}')
    assert metric == Metric({"a": None, "b": None, "c": None, "d": 1.5})


def test_hostile_json_is_text() -> None:
    assert parse("@@" + "[" * 60_000) is None
    assert parse("@@{" + '"a":{' * 20_000) is None
    assert parse('@@{"a": ' + "9" * 5000 + "}") is None


def test_broken_utf8_is_replaced() -> None:
    assert split(b"\xff\xc3", b"\xa9\n") == [Output("stdout", "\N{REPLACEMENT CHARACTER}"), Output("stdout", "é\n")]


@settings(database=None)
@given(st.lists(st.sampled_from(["@", "@@", "{", '{"a": 1}', "}", "\n", "é", " ", "x", "\r"])), st.data())
def test_however_the_bytes_are_cut_the_content_is_the_same(parts: list[str], data: st.DataObject) -> None:
    whole = "".join(parts).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    chunks = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert _joined(split(*chunks)) == _joined(split(whole))


def _joined(events: list[Output | Metric]) -> list[str | Metric]:
    joined: list[str | Metric] = []
    for event in events:
        if isinstance(event, Metric):
            joined.append(event)
        elif joined and isinstance(joined[-1], str):
            joined[-1] += event.text
        else:
            joined.append(event.text)
    return joined
