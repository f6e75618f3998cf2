"""Shared by the tests of tools: one finished result, made once."""

import pytest

from tests.tools.result_scene import Result, make


@pytest.fixture(scope="session")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A two-class result with everything real but the sandbox; read it, do not change its files."""
    return make("binary", tmp_path_factory.mktemp("result"))
