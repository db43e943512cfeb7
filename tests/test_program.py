"""Programs: one trace, any network's variables."""

from __future__ import annotations

import os

import keras
import numpy as np
import tensorflow as tf

from sk_imbalance_nn.training.program import Program, row_specs


def add_to(variable: keras.Variable, amount: tf.Tensor) -> tf.Tensor:
    variable.assign_add(amount)
    return variable + 0.0


SCALAR = [tf.TensorSpec([], tf.float32)]


def test_it_runs_on_the_variables_it_is_given_and_leaves_those_it_was_traced_with() -> None:
    first, second = keras.Variable(1.0), keras.Variable(10.0)
    program = Program(lambda amount: add_to(first, amount), SCALAR, [first])
    assert program.shareable
    assert float(program.on([second])(tf.constant(2.0))) == 12
    assert (float(first), float(second)) == (1.0, 12.0)


def test_variables_outside_the_state_are_its_own_and_keep_it_from_being_shared() -> None:
    inside, outside = keras.Variable(1.0), keras.Variable(5.0)
    program = Program(lambda amount: amount + inside + outside, SCALAR, [inside])
    assert not program.shareable
    assert float(program.on([inside])(tf.constant(1.0))) == 7


def test_random_operations_with_a_traced_seed_keep_it_from_being_shared() -> None:
    def draws(amount: tf.Tensor) -> tf.Tensor:
        return (
            amount
            + tf.while_loop(  # in a function within the graph
                lambda at, _: at < 2, lambda at, _: (at + 1, tf.random.uniform([])), (0, 0.0)
            )[1]
        )

    assert not Program(draws, SCALAR, []).shareable


def test_python_within_keeps_it_from_being_shared() -> None:
    def calls(amount: tf.Tensor) -> tf.Tensor:
        return tf.numpy_function(np.sin, [amount], tf.float32)

    assert not Program(calls, SCALAR, []).shareable


def test_structures_go_in_and_come_out() -> None:
    variable = keras.Variable(2.0)
    rows = {"b": tf.ones([3, 1]), "a": tf.zeros([3, 2])}

    def body(data: dict[str, tf.Tensor], times: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"sum": times * variable * tf.reduce_sum(data["b"]), "n": tf.shape(data["a"])[0]}

    program = Program(body, [row_specs(rows), tf.TensorSpec([], tf.float32)], [variable])
    run = program.on([variable])
    for n_rows in (3, 1):  # one trace takes any number of rows
        part = {name: tensor[:n_rows] for name, tensor in rows.items()}
        found = run(part, tf.constant(2.0))
        assert (float(found["sum"]), int(found["n"])) == (4.0 * n_rows, n_rows)


def test_a_pool_of_one_thread_by_environment_is_not_left_waiting(monkeypatch) -> None:
    """TensorFlow reads the variable when it makes its pool, and says nothing of it later."""
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "1")
    program = Program(lambda x: x + 1.0, SCALAR, [], small=True)
    assert not program.small
    monkeypatch.delenv("TF_NUM_INTEROP_THREADS")
    program = Program(lambda x: x + 1.0, SCALAR, [], small=True)
    assert program.small == (len(os.sched_getaffinity(0)) > 1)


def test_loops_within_loops_are_left_to_several_threads() -> None:
    """Each would keep one of TensorFlow's few threads waiting for the next."""

    def loops(depth: int, x: tf.Tensor) -> tf.Tensor:
        if depth == 0:
            return x + 1.0
        return tf.while_loop(
            lambda at, _: at < 2, lambda at, x: (at + 1, loops(depth - 1, x)), (0, x)
        )[1]

    for depth, small in ((0, True), (1, True), (2, False), (3, False)):
        program = Program(lambda x, depth=depth: loops(depth, x), SCALAR, [], small=True)
        assert program.small == small
        assert float(program.on([])(tf.constant(0.0))) == 2**depth


def test_one_operation_at_a_time_and_xla_compute_the_same() -> None:
    variable = keras.Variable(np.linspace(-1, 1, 12).reshape(3, 4).astype("float32"))

    def body(x: tf.Tensor) -> tf.Tensor:
        return tf.while_loop(
            lambda at, _: at < 3,
            lambda at, kept: (at + 1, kept + x @ variable),
            (0, tf.zeros([2, 4])),
        )[1]

    x = tf.constant(np.arange(6, dtype="float32").reshape(2, 3))
    found = [
        Program(body, [tf.TensorSpec([2, 3])], [variable], **how).on([variable])(x).numpy()
        for how in ({}, {"small": True}, {"jit_compile": True})
    ]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_allclose(found[0], found[2], rtol=1e-6)
