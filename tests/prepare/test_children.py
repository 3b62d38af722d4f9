"""Work in processes of its own: how their ends are told."""

import os
import signal

import pytest

from consort_prepare.children import Child, ChildFailed


class Worker:
    def die(self, number):
        os.kill(os.getpid(), number)

    def leave(self):
        os._exit(0)

    def raises(self):
        raise ValueError("first\nsecond")

    def answer(self):
        return 42

    def die_further_down(self, log):
        with Child(Worker, log, inner=True) as child:
            child.call("die", signal.SIGKILL)


@pytest.mark.parametrize("method,args,words", [
    ("die", [signal.SIGKILL], "it was ended by SIGKILL: perhaps there is too little memory"),
    ("die", [signal.SIGUSR2], "it was ended by SIGUSR2"), ("leave", [], "its process ended"),
    ("raises", [], "ValueError: first")])
def test_how_a_child_failed_is_told_in_a_line(tmp_path, method, args, words):
    with pytest.raises(ChildFailed) as told:
        with Child(Worker, str(tmp_path / "log")) as child:
            assert child.call("answer") == 42
            child.call(method, *args)
    assert str(told.value) == words


def test_the_end_of_a_child_of_a_child_is_told_too(tmp_path):
    log = str(tmp_path / "log")
    with Child(Worker, log) as child:
        with pytest.raises(ChildFailed, match="it was ended by SIGKILL"):
            child.call("die_further_down", log)
        assert child.call("answer") == 42
