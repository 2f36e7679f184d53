"""`headrace run` as a process: how it ends, and what it says then."""

import signal

import pytest

from support.command import project, wait_for


@pytest.fixture
def shop(tmp_path):
    with project(tmp_path) as made:
        yield made


def test_handles_all_and_ends_when_idle(shop):
    shop.write(source={"count": 50})
    done = shop.run("run", "config.yaml", "--exit-when-idle", "0.5")
    assert done.returncode == 0, done.stderr
    assert sorted(map(int, shop.handled())) == list(range(50))
    assert (
        "orders: polled 50 = filtered 0 + succeeded 50 + dropped 0 + delivered 0 + returned 0 + abandoned 0 "
        "+ deduplicated 0 + in flight 0; 0 in the dead-letter queue\n" in done.stdout
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains(shop, number):
    """Fails when the signal kills, or when the handler is not waited for."""
    shop.write("slow", source={"count": 3}, batch_size=1)
    running = shop.start("run", "config.yaml")
    wait_for(lambda: len(shop.handled()) >= 3, "handlers are under way")
    running.signal(number)
    assert running.wait() == 0, running.err
    assert "succeeded 3" in running.out
    assert sorted(shop.handled()) == ["0", "0", "1", "1", "2", "2"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_a_handler_is_imported_ends_cleanly(shop, number):
    """The loop does not run yet: fails when signals are taken over only there."""
    (shop.folder / "handlers.py").write_text(
        "import time\nopen('importing.txt', 'w').close()\ntime.sleep(3600)\ndef ok(e, c): pass\n"
    )
    shop.write()
    running = shop.start("run", "config.yaml")
    wait_for((shop.folder / "importing.txt").exists, "the import has begun")
    running.signal(number)
    assert running.wait() == 0, running.err
    assert "Traceback" not in running.err


def test_an_interrupt_inside_of_exec_ends_cleanly_too(shop):
    """Fails when main returns: Python remembers an interrupted exec(), and ends itself with SIGINT."""
    (shop.folder / "handlers.py").write_text(
        "exec('import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(60)')\ndef ok(e, c): pass\n"
    )
    shop.write()
    done = shop.run("run", "config.yaml")
    assert done.returncode == 0, done.stderr


def test_a_signal_that_an_import_swallows_still_stops(shop):
    (shop.folder / "handlers.py").write_text(
        "import os, signal, time\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    pass\n"
        "def ok(e, c): pass\n"
    )
    shop.write(source={"count": 1})
    done = shop.run("run", "config.yaml")
    assert done.returncode == 0, done.stderr
    assert shop.handled() == []


@pytest.mark.parametrize("handler", ["hung", "wedge", "spin"])
def test_ctrl_c_twice_stops_at_once_and_says_what_was_left(shop, handler):
    """Also when the loop itself is wedged, in C code or in Python."""
    shop.write(handler, source={"count": 2}, batch_size=2)
    running = shop.start("run", "config.yaml")
    wait_for(lambda: len(shop.handled()) == 2, "the handler hangs")
    running.signal(signal.SIGINT)
    running.signal(signal.SIGTERM)
    running.until(r"service.stopping") if handler == "hung" else None
    assert running.process.poll() is None
    wait_for(lambda: _poke(running), "the second Ctrl-C ends it")
    assert running.wait() == 1
    assert "headrace: stopped at once\nheadrace: orders: 2 records left at the handler" in running.err


def _poke(running):
    """A signal that is still pending swallows another of its kind: send until it is heard."""
    if running.process.poll() is None:
        running.signal(signal.SIGINT)
    return running.process.poll() is not None


def test_a_hung_handler_is_left_at_the_drain_deadline(shop):
    shop.write("hung", source={"count": 2}, service={"drain_timeout": 0.3}, batch_size=2)
    running = shop.start("run", "config.yaml")
    wait_for(lambda: len(shop.handled()) == 2, "the handler hangs")
    running.signal(signal.SIGTERM)
    assert running.wait() == 1
    assert "abandoned 2" in running.out
    assert "headrace: orders: 2 records left at the handler; they come again" in running.err


def test_a_thread_of_a_handler_does_not_hold_the_exit(shop):
    """All is drained, and a thread that is not ours sleeps on: the exit status is still that of the drain."""
    shop.write("straggler", source={"count": 1})
    done = shop.run("run", "config.yaml", "--exit-when-idle", "0.3")
    assert done.returncode == 0, done.stderr
    assert "did not end" in done.stderr


def test_a_forked_child_keeps_its_signals_to_itself(shop):
    """Fails without the reset after a fork: the child's SIGTERM would stop the service."""
    (shop.folder / "handlers.py").write_text(
        "import os, signal, time\n"
        "def ok(event, context):\n"
        "    child = os.fork()\n"
        "    if not child:\n        time.sleep(60); os._exit(9)\n"
        "    os.kill(child, signal.SIGTERM)\n"
        "    open('ended.txt', 'a').write(f'{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\\n')\n"
    )
    shop.write(source={"count": 1})
    running = shop.start("run", "config.yaml")
    wait_for(lambda: (shop.folder / "ended.txt").exists() and (shop.folder / "ended.txt").read_text(), "a child ended")
    assert (shop.folder / "ended.txt").read_text() == "-15\n"
    assert running.get("/readyz") == (200, {"ready": True})
    running.signal(signal.SIGTERM)
    assert running.wait() == 0


def test_only_named_mappings(shop):
    shop.write(source={"count": 1})
    done = shop.run("run", "config.yaml", "--mapping", "order")
    assert done.returncode == 2
    assert done.stderr == "--mapping: there is no mapping 'order'; did you mean orders?\n"


def test_a_handler_that_cannot_be_loaded(shop):
    shop.write("nothing")
    done = shop.run("run", "config.yaml")
    assert done.returncode == 2
    assert done.stderr.startswith("config.yaml:")
    assert "functions.f" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_disabled_mapping_does_not_run(shop):
    shop.write(source={"count": 1}, enabled=False)
    running = shop.start("run", "config.yaml")
    assert running.get("/readyz") == (200, {"ready": True})
    _, answer = running.get("/v1/mappings")
    assert (answer["mappings"][0]["enabled"], answer["mappings"][0]["state"]) == (False, "disabled")
    running.signal(signal.SIGTERM)
    assert running.wait() == 0
    assert shop.handled() == []


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "soon"])
def test_exit_when_idle_takes_seconds(shop, text):
    done = shop.run("run", "config.yaml", f"--exit-when-idle={text}")
    assert done.returncode == 2
    assert "--exit-when-idle" in done.stderr


def test_answers_over_http_while_the_loop_is_wedged(shop):
    shop.write("wedge", source={"count": 2}, batch_size=2)
    running = shop.start("run", "config.yaml")
    wait_for(lambda: len(shop.handled()) == 2, "the loop is wedged")
    wait_for(lambda: running.get("/healthz")[0] == 503, "the heart has stopped")
    assert running.get("/healthz")[1]["status"] == "wedged"
    assert running.get("/readyz")[0] == 503
    _, answer = running.get("/v1/mappings")
    assert answer["mappings"][0]["in_flight"] == 2
