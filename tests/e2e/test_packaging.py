"""The wheel carries everything that the command needs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from tests.conftest import ROOT, chat_line

pytestmark = pytest.mark.slow
PARTS = ("ftjobs", "migrations", "tests", "pyproject.toml", "LICENSE", "README.md", "config.example.toml")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built from a copy of the tree as an installer builds it."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in PARTS:
        here = ROOT / name
        if here.is_dir():
            shutil.copytree(here, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif here.exists():
            shutil.copy(here, source / name)
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(target), str(source)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if built.returncode != 0 and any(sign in built.stderr for sign in _NO_NETWORK):
        pytest.skip(f"the build backend cannot be fetched here: {built.stderr.strip().splitlines()[-1]}")
    assert built.returncode == 0, built.stderr
    (found,) = target.glob("*.whl")
    return found


_NO_NETWORK = (
    "Failed to establish a new connection",
    "No matching distribution found for hatchling",
    "No module named pip",
)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the wheel was unpacked into, as site-packages would have it."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user's folder far from the checkout."""
    folder = tmp_path / "user"
    folder.mkdir()
    return folder


def run(installed: Path, home: Path, *args: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, *args], cwd=home, env=environ, capture_output=True, text=True, timeout=240, check=False
    )


def test_data_migrations_and_type_marker_are_inside_and_nothing_else_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    inside = {name for name in names if not name.partition("/")[0].endswith(".dist-info")}
    wanted = {str(path.relative_to(ROOT)) for path in (ROOT / "ftjobs").rglob("*") if path.is_file()}
    wanted |= {f"ftjobs/{path.relative_to(ROOT)}" for path in (ROOT / "migrations").rglob("*") if path.is_file()}
    assert inside == {name for name in wanted if "__pycache__" not in name}
    for name in ("models/catalog.toml", "pricing/prices.toml", "py.typed", "migrations/env.py"):
        assert f"ftjobs/{name}" in inside


def test_the_command_its_licence_and_its_extras_are_declared(installed: Path) -> None:
    (info,) = installed.glob("*.dist-info")
    assert "ftjobs = ftjobs.__main__:main" in (info / "entry_points.txt").read_text()
    assert list(info.rglob("LICENSE"))
    metadata = Parser().parsestr((info / "METADATA").read_text())
    assert metadata["Name"] == "ftjobs"
    needed = {line.partition(";")[0].strip() for line in metadata.get_all("Requires-Dist", []) if ";" not in line}
    assert any(each.startswith("alembic") for each in needed)
    assert not any(each.startswith(("pytest", "uvicorn", "click")) for each in needed)


def test_a_first_ledger_is_made_from_the_migrations_inside(installed: Path, home: Path) -> None:
    where = run(installed, home, "-c", "import ftjobs; print(ftjobs.__file__)")
    assert Path(where.stdout.strip()).parent == installed / "ftjobs"
    assert not (installed / "migrations").exists()
    done = run(installed, home, "-m", "ftjobs", "ledger", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["schema"], told["jobs"]) == ("ftjobs.ledger/1", [])
    assert (home / "data" / "ftjobs" / "ledger.sqlite3").stat().st_size > 0


def test_an_estimate_finds_the_models_and_prices_inside(installed: Path, home: Path) -> None:
    data = home / "data.jsonl"
    data.write_text("".join(f"{chat_line(number)}\n" for number in range(12)), encoding="utf-8")
    done = run(installed, home, "-m", "ftjobs", "estimate", "data.jsonl", "--model", "gpt-4o-mini", "--json")
    assert done.returncode == 0, done.stderr
    (estimate,) = json.loads(done.stdout)["estimates"]
    assert estimate["price"]["usd_per_1m"] == "3.00"


def test_the_schema_of_the_wheel_is_told_apart_when_its_migrations_are_missing(
    installed: Path, home: Path, tmp_path: Path
) -> None:
    """Without this, the test above could pass by migrations that lie elsewhere."""
    crippled = tmp_path / "crippled"
    shutil.copytree(installed, crippled, ignore=shutil.ignore_patterns("migrations"))
    assert run(crippled, home, "-m", "ftjobs", "ledger", "--json").returncode != 0
