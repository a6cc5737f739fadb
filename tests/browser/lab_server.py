"""A JupyterLab for the tests, on a free port of this machine; its settings and files are removed afterwards."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.servers import free_port

START_S = 60.0
SETTINGS = {"apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False}}
"""With other settings, JupyterLab would ask about news when it opens, and the pictures would show the question."""


@dataclass(frozen=True)
class LabServer:
    """A running JupyterLab: its port, its token, and the folder of notebooks that it shows."""

    port: int
    token: str
    folder: Path

    def page(self, notebook: str) -> str:
        """The address of a notebook's page, with an empty workspace."""
        return f"http://127.0.0.1:{self.port}/lab/tree/{notebook}?reset&token={self.token}"

    def request(self, method: str, path: str) -> Any:
        """The server's answer to a REST call, such as GET api/kernels; None if the answer is empty."""
        call = urllib.request.Request(f"http://127.0.0.1:{self.port}/{path}", method=method)
        call.add_header("Authorization", f"token {self.token}")
        with urllib.request.urlopen(call, timeout=10) as answer:
            body = answer.read()
        return json.loads(body) if body else None


@contextmanager
def lab_server(notebooks: Path) -> Iterator[LabServer]:
    """Start JupyterLab on a copy of the notebooks, and stop it and its kernels at the end."""
    with tempfile.TemporaryDirectory(prefix="cachelab-", ignore_cleanup_errors=True) as scratch:
        home = Path(scratch)
        server = LabServer(free_port(), secrets.token_hex(16), home / "notebooks")
        shutil.copytree(notebooks, server.folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
        with (home / "log").open("w+") as log:
            process = subprocess.Popen(command(server), env=environment(home), cwd=home, stdout=log, stderr=log)
            try:
                wait_until_up(server, process, home / "log")
                yield server
            finally:
                process.terminate()
                process.wait(timeout=30)


def command(server: LabServer) -> list[str]:
    """The command that starts the server. The page exposes its application, which tells the state of the cells."""
    return [
        *[sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"],
        *["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={server.port}", "--ServerApp.port_retries=0"],
        *[f"--IdentityProvider.token={server.token}", f"--ServerApp.root_dir={server.folder}"],
        "--LabApp.extension_manager=readonly",
    ]


def environment(home: Path) -> dict[str, str]:
    """The environment variables with which Jupyter and IPython neither read nor write files of the user."""
    settings = home / "settings"
    for name, values in SETTINGS.items():
        file = settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    ours = {
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": settings,
        "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces",
        "IPYTHONDIR": home / "ipython",
    }
    return os.environ | {name: str(path) for name, path in ours.items()} | {"JUPYTER_PREFER_ENV_PATH": "1"}


def wait_until_up(server: LabServer, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers. Raises with its log if it ends, or does not answer within `START_S` seconds."""
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            server.request("GET", "api/status")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")
