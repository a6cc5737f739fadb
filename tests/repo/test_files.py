"""What stands around the package: the README and its commands, the two environment files, the documents for authors."""

import base64
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from tests.support.notebooks import ROOT, load, local_links, paths, pictures
from tests.support.requirements import bounds, project, required_by

TOP_LEVEL = {"notebooks", "cachelab", "tests", "environment.yml", "README.md", "pyproject.toml"}
COMMANDS = ["python -m cachelab lab", "python -m cachelab test", "python -m cachelab book"]
CONDA_NAMES = {"matplotlib": "matplotlib-base", "redis": "redis-py"}
"""Where conda-forge's name differs from that of the Python package index."""
CONDA_ONLY = {"python", "pip", "redis-server", "lupa"}
"""The interpreter, a server that is no Python package, and what an extra (fakeredis[lua]) stands for."""
CONTRIBUTING = ROOT / ".github" / "CONTRIBUTING.md"
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / ".github").glob("*.md"))]
YAML_FILES = [ROOT / "environment.yml", ROOT / ".pre-commit-config.yaml", *sorted((ROOT / ".github").rglob("*.yml"))]
FORMS = ROOT / ".github" / "ISSUE_TEMPLATE"
PLACE = re.compile(r"`((?:cachelab|tests|notebooks|\.github|\.ci)/[\w./-]*)`")
"""A path of the project, as the documents name it: in a code span, with its folders. NAME and NN stand for others."""


def name(path: Path) -> str:
    """A file's path inside the project, with slashes on every system; the test ids."""
    return path.relative_to(ROOT).as_posix()


every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=name)


def test_readme_has_the_commands() -> None:
    """The README shows how to open the course, how to test it and how to make its web pages."""
    lines = [line.strip() for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()]
    assert [command for command in COMMANDS if command not in lines] == []


@every_document
def test_links_lead_somewhere(path: Path) -> None:
    """Every link of a document to a file leads to one that exists."""
    links = local_links(path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@every_document
def test_places_exist(path: Path) -> None:
    """Every path of the project that a document names is there; where the reader chooses the name, its folder is."""
    places = PLACE.findall(path.read_text(encoding="utf-8"))
    fixed = [place.rpartition("/")[0] if re.search("NAME|NN", place) else place for place in places]
    assert [place for place in fixed if not (ROOT / place).exists()] == []


def test_the_guide_names_places() -> None:
    """CONTRIBUTING.md names paths in the form that the test above looks for."""
    assert len(PLACE.findall(CONTRIBUTING.read_text(encoding="utf-8"))) > 10


def test_readme_picture_is_a_stored_output() -> None:
    """The README's picture is, byte for byte, one that a notebook draws."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    drawn = {base64.b64decode(png) for path in paths() for cell in load(path).cells for png in pictures(cell)}
    shown = [link for link in local_links(readme) if link.endswith(".png")]
    assert shown
    assert [link for link in shown if (ROOT / link).read_bytes() not in drawn] == []


def test_readme_has_a_badge_where_the_repository_is_known() -> None:
    """With the repository's address in pyproject.toml, the README has a badge that opens the course on Binder."""
    address = project().get("urls", {}).get("Repository", "")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    if place := re.match(r"https://github\.com/([\w.-]+/[\w.-]+)", address):
        badge = rf"\[!\[[^]]*\]\(https://mybinder\.org/badge_logo\.svg\)\]\(https://mybinder\.org/v2/gh/{place[1]}/"
        assert re.search(badge, readme)
    else:
        assert "badge_logo" not in readme


def test_top_level_is_bare() -> None:
    """Nothing but the agreed names and dot-files stands at the top of the repository."""
    done = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        pytest.skip("not a git checkout")
    tops = {line.partition("/")[0] for line in done.stdout.splitlines()}
    assert {top for top in tops if not top.startswith(".")} <= TOP_LEVEL


def test_environments_agree() -> None:
    """environment.yml asks conda for the names and bounds for which the extra `lab` of pyproject.toml asks pip."""
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    assert listed.pop() == {"pip": ["-e ."]}
    conda = [Requirement(re.sub(r"(?<![<>=])=(?!=)", "==", line)) for line in listed]
    assert {one.name for one in conda} >= CONDA_ONLY
    assert {one.name: bounds(one.specifier) for one in conda if one.name not in CONDA_ONLY} == {
        CONDA_NAMES.get(required, required): bounds(specifier) for required, specifier in required_by("lab").items()
    }


@pytest.mark.parametrize("extra", project()["optional-dependencies"])
def test_requirements_have_two_bounds(extra: str) -> None:
    """No requirement is without a lower bound, and a new major release reaches nobody before it was tried."""
    for specifier in required_by(extra).values():
        _, upper = bounds(specifier)
        assert str(upper).isdecimal()


def test_the_package_alone_requires_nothing() -> None:
    """`pip install cachelab` brings no other package."""
    assert project()["dependencies"] == []


@pytest.mark.parametrize("path", YAML_FILES, ids=name)
def test_yaml_can_be_read(path: Path) -> None:
    """A YAML file, of which most are read only by a service, is valid."""
    assert yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", sorted(FORMS.glob("*_*.yml")), ids=name)
def test_issue_forms_have_what_a_form_needs(path: Path) -> None:
    """A form has a name, a description and fields. Each field has a type and a label, and its id is used once."""
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert form["name"]
    assert form["description"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert fields
    assert {field["type"] for field in fields} <= {"input", "textarea", "dropdown", "checkboxes"}
    assert all(field["attributes"]["label"] for field in fields)
    assert len({field["id"] for field in fields}) == len(fields)


def test_the_form_for_mistakes_lists_every_chapter() -> None:
    """The choices are the chapters, each with its number and the first part of its title."""
    form = yaml.safe_load((FORMS / "mistake_in_a_chapter.yml").read_text(encoding="utf-8"))
    (choices,) = (field["attributes"]["options"] for field in form["body"] if field["type"] == "dropdown")
    titles = [load(path).cells[0].source.splitlines()[0] for path in paths()]
    assert choices == [title.removeprefix("# ").partition(":")[0] for title in titles]


def test_the_readme_links_every_chapter() -> None:
    """The table of the README has every notebook."""
    links = set(local_links((ROOT / "README.md").read_text(encoding="utf-8")))
    assert {name(path) for path in paths()} <= links


def test_hooks_are_local() -> None:
    """The hooks run what the environment has: no address is named, and nothing is fetched."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [repo["repo"] for repo in hooks] == ["local"]
    assert {hook["language"] for hook in hooks[0]["hooks"]} == {"system"}
