"""Words from a table stay words in what we write as Markdown."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tools.markdown import plain, read_aloud

MARKUP = st.text(st.sampled_from("ab1 *_`[]()!<>#|~$&:;/\\-+=.@\n"), max_size=30)
READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def read(markdown: str) -> tuple[str, set[str]]:
    """What a reader sees, and the kinds of markup in it."""
    tokens = [one for block in READER.parse(markdown) for one in (block.children or [block])]
    return "".join(one.content for one in tokens), {one.type for one in tokens}


@given(MARKUP)
def test_whatever_the_words_are_they_are_read_as_they_stand(words: str) -> None:
    seen, kinds = read(plain(words))
    assert seen.replace("\u2060", "") == " ".join(words.split())
    assert kinds <= {"paragraph_open", "paragraph_close", "text", "text_special"}


@given(MARKUP)
def test_without_a_reader_the_words_are_there_again(words: str) -> None:
    assert read_aloud(plain(words)) == " ".join(words.split())


@pytest.mark.parametrize("words", ["http://a.example/b", "www.a.example", "me@a.example", "HTTPS://a.example"])
def test_no_bare_address_is_left(words: str) -> None:
    """The patterns by which the chat's renderer makes links, also of text that was escaped."""
    assert not re.search(r"https?://[-.\w]|www\.|[-.\w+]@[-\w]+\.", plain(words), re.IGNORECASE)
    assert plain(words).replace("\u2060", "") == words


@pytest.mark.parametrize("words", ["javascript:alert(3)", ":name", "::leaf", ":::box", "a:b{c=d}"])
def test_no_directive_is_left(words: str) -> None:
    assert not re.search(r"(?<!\\):[a-z:]", plain(words))


def test_what_is_no_markup_is_left_alone() -> None:
    for words in ("extra_trees", "time 10:30", "a: b", "-1", "3.5", "50 %", "Größe (cm)", "A & B"):
        assert plain(words) == words
