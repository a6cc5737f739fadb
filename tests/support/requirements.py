"""What pyproject.toml asks for: the requirements of each extra, with their bounds."""

import tomllib
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from tests.support.notebooks import ROOT


def project() -> dict[str, Any]:
    """The table `project` of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def required_by(extra: str) -> dict[str, SpecifierSet]:
    """The packages that an extra asks for, each with all its bounds, also from the extras of ours that it contains."""
    found: dict[str, SpecifierSet] = {}
    for one in map(Requirement, project()["optional-dependencies"][extra]):
        inner = [required_by(name) for name in one.extras] if one.name == "cachelab" else [{one.name: one.specifier}]
        for required in inner:
            for name, specifier in required.items():
                found[name] = found.get(name, SpecifierSet()) & specifier
    return found


def bounds(specifier: SpecifierSet) -> tuple[Version, Version]:
    """The oldest version that is allowed, and the first that is too new. Raises ValueError where one is missing."""
    lower = [Version(one.version) for one in specifier if one.operator == ">="]
    upper = [Version(one.version) for one in specifier if one.operator == "<"]
    if not lower or not upper or len(lower) + len(upper) < len(specifier):
        raise ValueError(f"A requirement has a bound >= and a bound <, not {specifier}.")
    return max(lower), min(upper)
