"""The documents' examples run and print what they say, and their links lead somewhere."""

import contextlib
import doctest
import io
import os
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple
from unittest import mock

import matplotlib
import numpy as np
import pytest
import sklearn

import sk_imbalance_nn
import sk_imbalance_nn.losses

matplotlib.use("Agg")

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
BUILT = [DOCS / "_build", DOCS / "api"]
PAGES = [
    ROOT / "README.md",
    *sorted(p for p in DOCS.rglob("*.md") if not any(p.is_relative_to(b) for b in BUILT)),
]
LINKING = [*PAGES, *(ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md"))]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

# What Sphinx reads, in pages that are lists for it.
DIRECTIVES = {"{eval-rst}", "{include}"}
# Lines of `sh` blocks that neither .ci/run nor the Makefile runs, and why they need no run.
UNRUN_COMMANDS = {
    'python -m pip install ".[plot]"': "the first half of a line that .ci/run runs",
    "make check": "what .ci/run does, in the environment at hand",
}


# Pages about what others do from some version of scikit-learn on.
NEEDED_SKLEARN = {"docs/coming_from/scikeras.md": (1, 7)}


class Block(NamedTuple):
    """A fenced block: its language, its text, and the line where the text starts."""

    language: str
    text: str
    line: int


def blocks_of(text):
    """Return the fenced blocks of a page in order."""
    blocks, fence = [], None
    for number, line in enumerate(text.splitlines(), start=1):
        mark = re.match(r" *(`{3,}|~{3,}) *(.*)$", line)
        if fence is None and mark:
            fence, language, start, lines = mark[1], mark[2].strip(), number + 1, []
        elif fence is not None and mark and mark[1].startswith(fence) and not mark[2]:
            blocks.append(Block(language, "".join(f"{line}\n" for line in lines), start))
            fence = None
        elif fence is not None:
            lines.append(line)
    assert fence is None, "a block without an end"
    return blocks


def without_blocks(text):
    return re.sub(r"^ *(`{3,}|~{3,})[^\n]*\n.*?^ *\1 *$", "", text, flags=re.DOTALL | re.MULTILINE)


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def words_of(text):
    """Return what is printed, without its figures: their last digits depend on the machine."""
    return re.sub(r"-?\d+(\.\d*)?", "#", text).split()


@pytest.fixture
def nothing_left_behind(tmp_path, monkeypatch):
    """Run in an empty folder, and put back what a page may change for the whole process."""
    from matplotlib import pyplot

    monkeypatch.chdir(tmp_path)
    random_state = np.random.get_state()
    programs = sk_imbalance_nn.compile_cache_info().maxsize
    with mock.patch.dict(os.environ), sklearn.config_context(), matplotlib.rc_context():
        yield
    sk_imbalance_nn.set_compile_cache_size(programs)
    np.random.set_state(random_state)
    pyplot.close("all")


def run_session(block, name, namespace):
    """Run a `pycon` block, and compare what it prints."""
    examples = doctest.DocTestParser().get_examples(block.text, name)
    assert examples, f"{name}:{block.line}: a session without a prompt"
    test = doctest.DocTest(examples, namespace, name, name, block.line - 1, block.text)
    test.globs = namespace  # not the copy that DocTest makes: the next blocks go on with it
    said = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=OPTIONS, verbose=False)
    failed = runner.run(test, out=said.write, clear_globs=False).failed
    assert not failed, said.getvalue()


def run_script(block, name, namespace):
    """Run a `python` block, and return what it prints."""
    code = compile("\n" * (block.line - 1) + block.text, name, "exec")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, namespace)
    return printed.getvalue()


def commands_of_ci():
    """Return the commands that .ci/run and the Makefile run."""
    steps = re.findall(r"^(?:step|from_readme) '(.+)'$", (ROOT / ".ci/run").read_text(), re.M)
    rules = (ROOT / "Makefile").read_text()
    rules = re.findall(r"^\t@?(.+)$", rules.replace("$(PYTHON)", "python"), re.M)
    goals = [step.removeprefix("make ").split() for step in steps if step.startswith("make ")]
    return {*steps, *rules, ".ci/run", *(f"make {goal}" for each in goals for goal in each)}


def check_commands(block, name):
    for number, line in enumerate(block.text.splitlines(), start=block.line):
        command = line.split("  #")[0].strip()
        known = not command or command in commands_of_ci() or command in UNRUN_COMMANDS
        assert known, f"{name}:{number}: nothing runs {command!r}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
@pytest.mark.usefixtures("nothing_left_behind")
def test_blocks_run_and_print_what_they_say(page, monkeypatch):
    name = name_of(page)
    needed = NEEDED_SKLEARN.get(name, (1, 6))
    if tuple(map(int, sklearn.__version__.split(".")[:2])) < needed:
        pytest.skip(f"it shows what scikit-learn {needed[0]}.{needed[1]} changed")
    # Functions of a page can be pickled, as those of a script.
    monkeypatch.setitem(sys.modules, "__main__", script := ModuleType("__main__"))
    namespace = vars(script)
    printed = ""
    for block in blocks_of(page.read_text(encoding="utf-8")):
        where = f"{name}:{block.line}"
        if block.language == "text":
            # Output of the script before it, if that printed anything; else a formula, or a
            # command's output.
            assert not printed or words_of(printed) == words_of(block.text), where
        printed = ""
        if block.language == "pycon":
            run_session(block, name, namespace)
        elif block.language == "python":
            printed = run_script(block, name, namespace)
        elif block.language == "sh":
            check_commands(block, name)
        else:
            language = block.language.split(" ")[0]
            assert language in {"text", *DIRECTIVES}, f"{where}: {block.language!r} is not checked"


def test_commands_on_the_list_are_in_a_page():
    said = "\n".join(path.read_text(encoding="utf-8") for path in LINKING)
    assert [command for command in UNRUN_COMMANDS if command not in said] == []


def anchors_of(text):
    """Return the anchors of a page's headings, as forges and Sphinx make them."""
    anchors = []
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", without_blocks(text), re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        anchor = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        same = sum(
            re.fullmatch(rf"{re.escape(anchor)}(-\d+)?", other) is not None for other in anchors
        )
        anchors.append(f"{anchor}-{same}" if same else anchor)
    return anchors


def links_of(text):
    """Return the targets of a page's links and pictures that lie in the repository."""
    prose = re.sub(r"`+[^`]*`+|<!--.*?-->", "", without_blocks(text), flags=re.DOTALL)
    targets = re.findall(r"\]\(<?([^)\s>]+)>?(?: +\"[^\"]*\")?\)", prose)
    targets += re.findall(r"^ *\[[^]]+\]: +(\S+)", prose, re.MULTILINE)
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def test_anchors_are_those_of_forges():
    text = (
        "# `correct_prior`, [more](a.md)\n## Is 0.5 right?\n```sh\n# none\n```\n## Is 0.5 right?\n"
    )
    assert anchors_of(text) == ["correct_prior-more", "is-05-right", "is-05-right-1"]


@pytest.mark.parametrize("page", LINKING, ids=name_of)
def test_links_lead_somewhere(page):
    broken = []
    for target in links_of(page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        inside = linked.is_relative_to(ROOT) and linked.exists()
        if not inside or (anchor and anchor not in anchors_of(linked.read_text(encoding="utf-8"))):
            broken.append(target)
    assert broken == []


def test_every_page_is_in_the_contents():
    linked = {
        (DOCS / target).resolve() for target in links_of((DOCS / "index.md").read_text("utf-8"))
    }
    missing = {page for page in PAGES if page.is_relative_to(DOCS)} - linked - {DOCS / "index.md"}
    assert sorted(map(name_of, missing)) == []


def names_in_api():
    """Return the names of the page's tables, by the module that they are imported from."""
    names = {}
    for block in blocks_of((DOCS / "api.md").read_text(encoding="utf-8")):
        for line in block.text.splitlines():
            if found := re.match(r"\.\. currentmodule:: (\S+)", line):
                module = found[1]
            elif found := re.fullmatch(r" {3}(\w+)", line):
                names.setdefault(module, []).append(found[1])
    return names


def test_api_page_has_every_public_name():
    losses = sk_imbalance_nn.losses
    classes = [name for name in losses.__all__ if isinstance(getattr(losses, name), type)]
    names = names_in_api()
    assert sorted(names["sk_imbalance_nn"]) == sorted(sk_imbalance_nn.__all__)
    assert sorted(names["sk_imbalance_nn.losses"]) == sorted(classes)
    assert len(names) == 2
