"""The browser of the tests: Chromium, which is found on this machine and not downloaded."""

import os
import shutil

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--disable-sync", "--no-first-run"]


def chromium() -> str | None:
    """The program that the variable CHROMIUM names, or one of the usual names on the PATH; None without any."""
    on_path = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    return os.environ.get("CHROMIUM") or next(filter(None, on_path), None)
