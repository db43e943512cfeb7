"""The documents' examples run, and print what they say."""

import doctest
from pathlib import Path

import matplotlib
import pytest

DOCS = Path(__file__).parents[1] / "docs"
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

matplotlib.use("Agg")


@pytest.mark.parametrize("name", ["balancing.md", "thresholds.md"])
def test_examples_print_what_they_say(name):
    text = (DOCS / name).read_text(encoding="utf-8").replace("```pycon", "").replace("```", "")
    parsed = doctest.DocTestParser().get_doctest(text, {}, name, name, 0)
    assert len(parsed.examples) > 5
    result = doctest.DocTestRunner(optionflags=OPTIONS, verbose=False).run(parsed)
    matplotlib.pyplot.close("all")
    assert result.failed == 0
