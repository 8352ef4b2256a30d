"""A run of programs that do not hear Ctrl-C, and how it ended after one."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

from tests.support import ROOT

DEAF = """
import os, signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
os.write(2, b"%d" % os.getpid())
time.sleep(60)
"""
RUN = f"""
import sys
from pathlib import Path
from tasks.engine.supervisor import Callbacks, Job, run_all
from tasks.errors import Interrupted

deaf = (sys.executable, "-IS", "-c", {DEAF!r})
try:
    run_all(
        [Job(key=str(number), argv=deaf, stdin=b"", cwd=Path("/")) for number in range(3)],
        Callbacks(
            begun=lambda key: None,
            wrote=lambda key, chunk: print(chunk.decode(), flush=True),
            ended=lambda key, ended: print("ended", ended.code, flush=True),
        ),
        limit=3,
        fail_fast=False,
    )
except Interrupted as error:
    print(error)
    sys.exit(error.code)
"""


@dataclass(frozen=True)
class Stopped:
    """How a run of deaf programs ended after Ctrl-C."""

    children: list[int]
    seconds: float
    said: str
    code: int


# A copy: this runs beside tests that change the environment, and a process that is begun meanwhile may not start.
ENVIRONMENT = dict(os.environ)


def stop() -> Stopped:
    """Begin such a run, and end it as a terminal does."""
    words = [sys.executable, "-c", RUN]
    with subprocess.Popen(words, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        children = [int(run.stdout.readline()) for _ in range(3)]
        began = time.monotonic()
        run.send_signal(signal.SIGINT)
        said = run.stdout.read()
        code = run.wait()
        return Stopped(children, time.monotonic() - began, said, code)
