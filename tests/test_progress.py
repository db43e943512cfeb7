"""What training says of itself: one line on terminals, its end in files, nothing when silent."""

import io
import itertools
import re
import sys

import keras
import numpy as np
import pytest
from sklearn.datasets import make_classification

from sk_imbalance_nn import BalancedKerasClassifier
from sk_imbalance_nn.training import progress

X, Y = make_classification(200, 6, weights=[0.8], random_state=0)
SMALL = {"model": "mlp", "width": 4, "depth": 1, "random_state": 0, "epochs": 3}
STOPPED = {**SMALL, "early_stopping": True, "validation_split": 0.3}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(params=["traced", "keras"])
def written(request, monkeypatch):
    """Fit with stdout replaced; return what was written to it."""

    def write_to(stream, columns=200, **params):
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(progress, "_SECONDS_BETWEEN_WRITINGS", 0.0)
        eager = {"run_eagerly": True, "batch_size": 100} if request.param == "keras" else {}
        BalancedKerasClassifier(**params, **eager).fit(X, Y)
        return stream.getvalue()

    return write_to


def test_one_line_is_written_over_on_a_terminal(written):
    scores = []
    record = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: scores.append(logs["val_average_precision"])
    )
    text = written(Terminal(), verbose=1, callbacks=record, **STOPPED)
    assert text.count("\n") == 1
    assert text.endswith("\n")
    *earlier, last = text.rstrip("\n").split("\r")
    assert re.match(
        r"3 epochs in .* s  loss \S+  val_average_precision \S+  kept epoch \d \(", last
    )
    for number in (1, 2, 3):
        ends = [line for line in earlier if line.startswith(f"epoch {number}/3  ")]
        assert "val_average_precision" in ends[-1]
        so_far = scores[:number]
        assert f"best: epoch {so_far.index(max(so_far)) + 1}" in ends[-1]
    assert any(re.match(r"epoch 2/3( \(.*\))?  at most \S+ s left  loss", line) for line in earlier)


def test_a_line_that_is_written_over_leaves_nothing_behind(written):
    lines = written(Terminal(), columns=40, verbose=1, **STOPPED).rstrip("\n").split("\r")[1:]
    for one, following in itertools.pairwise(lines):
        assert len(one) < 40
        assert re.search(r"(left|\d|%\))$", one.rstrip())  # no part is cut in two
        assert len(following) >= len(one.rstrip())


def test_the_last_line_says_that_training_stopped_early(written):
    params = {**STOPPED, "epochs": 9, "n_iter_no_change": 1, "optimizer__learning_rate": 1e-9}
    assert written(io.StringIO(), verbose=1, **params).startswith("2 of 9 epochs in ")


def test_a_file_gets_one_line(written):
    text = written(io.StringIO(), verbose=1, **SMALL)
    assert re.fullmatch(r"3 epochs in .* s  loss \S+\n", text)


def test_the_default_network_names_its_score_and_the_epoch_that_it_kept(written):
    params = {"model": None, "members": 2, "early_stopping": True}
    text = written(io.StringIO(), verbose=1, **{**SMALL, **params})
    score = r"oof_average_precision [\d.]+"
    assert re.fullmatch(rf"3 epochs in .* s  loss \S+  {score}  kept epoch \d \([\d.]+\)\n", text)


def test_a_line_an_epoch_says_all(written):
    lines = written(io.StringIO(), verbose=2, metrics=["AUC"], **STOPPED).splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    for name in ("loss", "AUC", "val_loss", "val_AUC", "val_average_precision"):
        assert all(f"  {name} " in line for line in lines)


def test_callbacks_may_log_anything(written):
    def note(epoch, logs):
        logs["note"] = "hi"

    lines = written(
        io.StringIO(),
        verbose=3,
        callbacks=keras.callbacks.LambdaCallback(on_epoch_end=note),
        **SMALL,
    ).splitlines()
    assert len(lines) == 3 and all("  note hi" in line for line in lines)
    assert "left" in lines[1] and "left" not in lines[2]


def test_a_closed_stdout_costs_no_fit(monkeypatch):
    closed = io.StringIO()
    closed.close()
    for stream in (closed, None):
        monkeypatch.setattr(sys, "stdout", stream)
        assert BalancedKerasClassifier(verbose=1, **SMALL).fit(X, Y).n_iter_ == 3


def test_silence_is_silent(written):
    assert written(Terminal(), **STOPPED) == ""


def test_the_line_ends_where_training_fails(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(ValueError, match="loss became"):
        BalancedKerasClassifier(
            optimizer="sgd", optimizer__learning_rate=1e30, verbose=1, batch_size=20, **SMALL
        ).fit(X * 1e10, Y)
    assert stream.getvalue().endswith("\n")


def test_notebooks_can_be_written_over():
    kernel = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})
    assert progress._rewrites_lines(kernel())
    assert not progress._rewrites_lines(io.StringIO())
    assert not progress._rewrites_lines(None)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (59.6, "1 min 00 s"),
        (61, "1 min 01 s"),
        (3_660, "1 h 01 min"),
    ],
)
def test_durations(seconds, text):
    assert progress._duration(seconds) == text


@pytest.mark.parametrize("value", ["hi", [[1], [1, 2]], None, {"a": 1}])
def test_what_is_no_number_is_written_as_it_is(value):
    assert progress._number(value) in (str(value), "nan")


def test_metrics_of_several_numbers_are_written_too():
    assert progress._number(np.array([0.12345, 2])) == "[0.1234 2.    ]"
