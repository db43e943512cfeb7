"""The public surface: complete, sorted, and loaded when it is asked for."""

import ast
from pathlib import Path

import pytest

import sk_imbalance_nn


def test_public_names_are_sorted_and_exist():
    names = sk_imbalance_nn.__all__
    assert names == sorted(names)
    for name in names:
        assert getattr(sk_imbalance_nn, name).__name__ == name


def test_public_names_are_those_that_type_checkers_see():
    tree = ast.parse(Path(sk_imbalance_nn.__file__).read_text(encoding="utf-8"))
    for_types = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    seen = {
        alias.name: node.module
        for block in for_types
        for node in block.body
        for alias in node.names
    }
    assert set(seen) == set(sk_imbalance_nn.__all__)
    for name, module in seen.items():
        assert getattr(sk_imbalance_nn, name).__module__ == module


def test_dir_lists_what_there_is():
    assert dir(sk_imbalance_nn) == sorted([*sk_imbalance_nn.__all__, "__version__"])


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="module 'sk_imbalance_nn' has no attribute 'Nothing'"):
        sk_imbalance_nn.Nothing  # noqa: B018
    assert not hasattr(sk_imbalance_nn, "_nothing")


def test_star_import_brings_the_public_names():
    namespace = {}
    exec("from sk_imbalance_nn import *", namespace)
    assert set(namespace) - {"__builtins__"} == set(sk_imbalance_nn.__all__)
