"""Processes of `invoicing` that begin with the imports made: forked from one that made them.

Each is a process of its own, with its own folder, environment and streams. What it cannot show is
what a fresh interpreter does: what is imported when, and what the environment means to Python.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import traceback
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ONE = Lock()
_START = "from tests.cli.forked import serve; serve(int({}))"
# What commands import when they need it.
_IMPORTS = (
    "alembic.command invoicing.cli.demo invoicing.load invoicing.notebook invoicing.practice"
    " invoicing.report invoicing.sample invoicing.toolkit.rename nbclient nbconvert"
)


def run_forked(
    environment: Mapping[str, str], arguments: Sequence[str], cwd: Path, streams: Sequence[int]
) -> int:
    """Run `invoicing` on open streams, and return its exit code; of a signal, its negative."""
    request = json.dumps([dict(environment), list(arguments), str(cwd)]).encode()
    with _ONE:
        _, parent = _parent()
        socket.send_fds(parent, [len(request).to_bytes(8, "big")], list(streams))
        parent.sendall(request)
        answer = parent.recv(8)
    if not answer:
        raise RuntimeError("the process that forks has ended")
    return int.from_bytes(answer, "big", signed=True)


@cache
def _parent() -> tuple[subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair()
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", _START.format(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        cwd=root,
    )
    theirs.close()
    atexit.register(_end, process, ours)
    return process, ours


def _end(process: subprocess.Popen[bytes], ours: socket.socket) -> None:
    ours.close()
    process.wait()


def serve(number: int) -> None:
    """Fork a process for each request, until the other side is closed."""
    from importlib import import_module  # noqa: PLC0415

    for name in _IMPORTS.split():
        import_module(name)
    with socket.socket(fileno=number) as asking:
        while True:
            length, streams, _, _ = socket.recv_fds(asking, 8, 3)
            if not length:
                return
            size, request = int.from_bytes(length, "big"), b""
            while len(request) < size:
                request += asking.recv(size - len(request))
            child = os.fork()
            if not child:
                asking.close()
                _become(*json.loads(request), streams)
            for stream in streams:
                os.close(stream)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            asking.sendall(code.to_bytes(8, "big", signed=True))


def _become(
    environment: Mapping[str, str], arguments: Sequence[str], cwd: str, streams: Sequence[int]
) -> None:
    from invoicing.cli.main import main  # noqa: PLC0415

    code = 1
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["invoicing", *arguments]
        # As in the tests' own process: see `no_stale_bytecode`.
        sys.dont_write_bytecode = True
        sys.path[:1] = ["", *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else bool(end.code)
    finally:
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
