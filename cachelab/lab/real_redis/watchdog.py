"""A process that ends a private server when the notebook's kernel has ended or was killed.

It is run as a script, `python watchdog.py FOLDER BINARY ARGUMENTS...`, with a pipe as its input. It starts the server
and waits. When the pipe closes, it kills the server and removes the folder. The pipe closes when the kernel closes it,
and also when the kernel is killed, because then the system closes it. When the server ends by itself, the watchdog ends
with the server's exit code.

The watchdog runs in a session of its own, so that an interrupt of the kernel reaches neither it nor the server. Only if
the watchdog itself is killed does the server stay behind.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading

__all__ = ["watch"]


def watch(folder: str, command: list[str]) -> None:
    """Run the server until standard input closes, then kill it and remove `folder`. Does not return."""
    try:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    except OSError as error:
        print(error.strerror, flush=True)  # into the log, from which the kernel shows it
        os._exit(127)
    threading.Thread(target=lambda: os._exit(server.wait() % 256), daemon=True).start()
    while os.read(0, 64):
        pass
    shutil.rmtree(folder, ignore_errors=True)  # before the kill: then the thread above ends this process
    server.kill()
    server.wait()
    os._exit(0)


if __name__ == "__main__":
    watch(sys.argv[1], sys.argv[2:])
