"""Loading TensorFlow says nothing of its own, hides nothing of others, and obeys the user."""

import os
import re
import subprocess
import sys

import pytest

from sk_imbalance_nn import _start_up

FIT = (
    "import numpy as np\n"
    "from sk_imbalance_nn import BalancedKerasClassifier\n"
    "network = BalancedKerasClassifier(epochs=1, width=4, batch_size=10, jit_compile=True)\n"
    "assert network.fit(np.eye(20), np.arange(20) % 2).engine_ == 'xla'\n"
    "import os, sys\n"
    "print('TF_CPP_MIN_LOG_LEVEL' in os.environ, file=sys.stderr)\n"
)


def errors_of(script, **environment):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**inherited, **environment},
    )
    return done.stderr


@pytest.mark.parametrize(
    ("script", "expected"),
    [(FIT, "False\n"), ("import sk_imbalance_nn.losses, keras; keras.Variable(1.0)", "")],
)
def test_nothing_is_written_while_tensorflow_starts(script, expected):
    assert errors_of(script) == expected


def test_whoever_asks_for_the_messages_gets_them():
    messages = errors_of("import sk_imbalance_nn.losses", TF_CPP_MIN_LOG_LEVEL="0")
    assert re.search(r"^[IWE].*\.cc:\d+\]", messages, re.MULTILINE)


KNOWN = [
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n",
    b"I0000 00:00:1795989780.023387   11946 port.cc:153] oneDNN custom operations are on.\n",
    b"2024-01-01 10:00:00.1: I tensorflow/core/util/port.cc:113] oneDNN custom operations\n",
    b"E0000 00:00:1795989782.7 11946 cuda_platform.cc:52] failed call to cuInit: INTERNAL\n",
    b"To enable the following instructions: AVX2 FMA, in other operations, rebuild\n",
]
OTHERS = [
    b"W0000 00:00:1.2 3 gpu_device.cc:2344] Cannot dlopen some GPU libraries.\n",
    b"Traceback (most recent call last):\n",
    b"import.cc:12] not at the start of a known source\n",
    b"no newline at the end",
]


def test_only_known_lines_are_left_out(capfd):
    with _start_up._without_known_messages():
        for line in [*KNOWN, *OTHERS]:
            os.write(2, line)
    assert capfd.readouterr().err.encode() == b"".join(OTHERS)


def test_where_there_is_a_gpu_its_messages_are_shown(capfd, monkeypatch):
    monkeypatch.setattr(_start_up.glob, "glob", lambda pattern: ["/dev/nvidia0"])
    with _start_up._without_known_messages():
        for line in KNOWN:
            os.write(2, line)
    assert capfd.readouterr().err.encode() == KNOWN[3]


def test_threads_leave_stderr_where_it_was():
    script = (
        "import os, threading\n"
        "from importlib import import_module\n"
        "before, barrier = os.fstat(2), threading.Barrier(4)\n"
        "def load(room):\n"
        "    barrier.wait()\n"
        "    import_module(f'sk_imbalance_nn.{room}')\n"
        "rooms = ['losses', 'training', 'networks', 'classifier']\n"
        "threads = [threading.Thread(target=load, args=[room]) for room in rooms]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "assert os.path.samestat(before, os.fstat(2))\n"
    )
    assert errors_of(script) == ""


def test_without_a_place_to_keep_them_messages_pass(capfd, monkeypatch):
    def fail():
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr(_start_up.tempfile, "TemporaryFile", fail)
    with _start_up._without_known_messages():
        os.write(2, KNOWN[1])
    assert capfd.readouterr().err.encode() == KNOWN[1]


def test_what_was_written_before_an_error_is_passed_on(capfd):
    with pytest.raises(ZeroDivisionError), _start_up._without_known_messages():
        os.write(2, OTHERS[0])
        1 / 0  # noqa: B018
    assert capfd.readouterr().err.encode() == OTHERS[0]


def test_users_setting_leaves_stderr_alone(capfd, monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    with _start_up._without_known_messages():
        os.write(2, KNOWN[1])
        assert capfd.readouterr().err.encode() == KNOWN[1]
