"""A real kernel, as a front end has one: run a cell, interrupt it, kill it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jupyter_client.manager import KernelManager
from traitlets.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jupyter_client.blocking import BlockingKernelClient


class Kernel:
    """A kernel as a front end has one; `traceback` is what the last error showed."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self._manager, self._client = manager, client
        self.traceback = ""

    def begin(self, code: str, *, stdin: bool = True) -> str:
        """Let `code` run, and wait for nothing."""
        return self._client.execute(code, allow_stdin=stdin)

    def kill(self) -> None:
        """Kill it as a crash does."""
        self._manager.provisioner.process.kill()

    def run(
        self, code: str, *, interrupt_after: float | None = None, stdin: bool = True
    ) -> tuple[str, str, float]:
        """Run `code`; return its output, the name of its error, and seconds since the interrupt."""
        request = self.begin(code, stdin=stdin)
        if interrupt_after is not None:
            time.sleep(interrupt_after)
            self._manager.interrupt_kernel()
        began = time.perf_counter()
        output, error = "", ""
        while True:
            message = self._client.get_iopub_msg(timeout=60)
            content = message["content"]
            if message["parent_header"].get("msg_id") != request:
                continue
            if message["msg_type"] == "stream" and content["name"] == "stdout":
                output += content["text"]
            elif message["msg_type"] == "error":
                error = content["ename"]
                self.traceback = "\n".join(content["traceback"])
            elif content.get("execution_state") == "idle":
                return output.strip(), error, time.perf_counter() - began


@contextmanager
def running_kernel(env: Mapping[str, str] | None = None) -> Iterator[Kernel]:
    """Yield a kernel of its own."""
    encryption = Config({"KernelManager": {"transport_encryption": "auto"}})
    manager = KernelManager(kernel_name="python3", config=encryption)
    manager.start_kernel(**({"env": dict(env)} if env is not None else {}))
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
