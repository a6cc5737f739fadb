"""Ends a private server when the notebook's kernel is gone, however it went.

Run as a script: `python watchdog.py FOLDER BINARY ARGUMENTS...`, with a pipe as its input. It starts the server and
waits. When the pipe closes (the kernel closed it, or was killed, and then the system closes it), it kills the server
and removes the folder. When the server ends by itself, so does the guard, with the server's exit code.

It runs in a session of its own, so that an interrupt of the kernel reaches neither the guard nor the server.
Only if somebody kills the guard itself does the server stay behind.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading

__all__ = ["guard"]


def guard(folder: str, command: list[str]) -> None:
    """Run the server until standard input closes, then kill it and remove `folder`. Does not return."""
    try:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    except OSError as error:
        print(error.strerror, flush=True)  # for the detail that the kernel shows
        os._exit(127)
    threading.Thread(target=lambda: os._exit(server.wait() % 256), daemon=True).start()
    while os.read(0, 64):
        pass
    shutil.rmtree(folder, ignore_errors=True)  # before the kill: then the thread above ends this process
    server.kill()
    server.wait()
    os._exit(0)


if __name__ == "__main__":
    guard(sys.argv[1], sys.argv[2:])
