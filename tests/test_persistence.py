"""What a file without code holds comes back as it was, with its types."""

import json

import numpy as np
import pytest

from sk_imbalance_nn.data.tables import learn_categories
from sk_imbalance_nn.wrapping.persistence import plain, restored


def objects(*values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


@pytest.mark.parametrize(
    "levels",
    [
        objects("a", "b", "", "ü\ud800\0"),
        objects(False, 1, 2.5, -0.0, 2**70, "1", "True"),
        objects(b"\x00\xff", b"a", "a"),
        objects(),
        np.array([False, True]),
        np.array([1, 2**40]),
        np.array([-1.5, np.inf]),
        np.array(["a", "bc"]),
        np.array([b"a", b"bc"]),
        None,
    ],
    ids=repr,
)
def test_levels_come_back_with_their_types(levels):
    (back,) = restored(json.loads(json.dumps(plain([levels]))))
    if levels is None:
        assert back is None
    else:
        assert back.dtype == levels.dtype
        assert back.shape == levels.shape
        assert repr(back.tolist()) == repr(levels.tolist())


def test_what_was_learned_of_a_table_can_be_written():
    table = [[1.5, "a", b"x", True, np.str_("b")], [None, "b", b"y", "a", 3]]
    categories = learn_categories(table, [0])
    back = restored(json.loads(json.dumps(plain(categories))))
    assert repr(back) == repr(categories)
