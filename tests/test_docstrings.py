"""Docstrings follow numpydoc, and their examples run."""

import doctest
import importlib
import inspect
import pkgutil

import pytest
from numpydoc.validate import validate

import sk_imbalance_nn

MODULES = [
    "sk_imbalance_nn",
    *(
        module.name
        for module in pkgutil.walk_packages(sk_imbalance_nn.__path__, "sk_imbalance_nn.")
    ),
]
DOCTEST_OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL

IGNORED = {
    "GL01": "the summary starts on the line of the quotes, as in PEP 257",
    "ES01": "a summary that says everything needs no second one",
    "SA01": "the modules name their neighbours once, at the top",
    "EX01": "examples stand where they show more than the signature does",
}
# What no user imports may do without sections; where it has one, it has all.
IGNORED_WITHOUT_SECTIONS = {"PR01": "parameters", "RT01": "returns", "YD01": "yields"}


def documented(module_name):
    """Yield the public classes and functions of a module, and their public members."""
    module = importlib.import_module(module_name)
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module_name:
            continue
        if inspect.isclass(value) or inspect.isfunction(value):
            yield f"{module_name}.{name}"
        if inspect.isclass(value):
            for member, defined in vars(value).items():
                kinds = (property, staticmethod, classmethod)
                if not member.startswith("_") and (
                    inspect.isfunction(defined) or isinstance(defined, kinds)
                ):
                    yield f"{module_name}.{name}.{member}"


def is_for_users(path):
    homes = {getattr(sk_imbalance_nn, name).__module__ for name in sk_imbalance_nn.__all__}
    return any(
        path.startswith(f"{home}.{name}") for home in homes for name in sk_imbalance_nn.__all__
    )


@pytest.mark.parametrize("module", MODULES)
def test_docstrings_follow_numpydoc(module):
    assert importlib.import_module(module).__doc__
    problems = []
    for path in documented(module):
        checked = validate(path)
        ignored = set(IGNORED)
        if "\n---" not in inspect.cleandoc(checked["docstring"]) and not is_for_users(path):
            ignored |= set(IGNORED_WITHOUT_SECTIONS)
        problems += [(path, *error) for error in checked["errors"] if error[0] not in ignored]
    assert problems == []


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module):
    found = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(module))
    for example in found:
        result = doctest.DocTestRunner(optionflags=DOCTEST_OPTIONS, verbose=False).run(example)
        assert result.failed == 0, example.name


def test_every_name_for_users_has_an_example():
    for name in sk_imbalance_nn.__all__:
        assert ">>>" in inspect.getdoc(getattr(sk_imbalance_nn, name))
