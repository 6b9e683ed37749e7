"""The wheel and the sdist carry everything that the command needs; `make package` uses them with their extras."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from tests.conftest import ROOT, chat_line

pytestmark = pytest.mark.slow


def build(source: Path, target: Path, *what: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(target), *what],
        cwd=source,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a wheel and an sdist of this tree."""
    target = tmp_path_factory.mktemp("built")
    build(ROOT, target)
    return target


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel installed, which finds its dependencies where this one has them."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--no-compile"]
    subprocess.run([*pip, "--quiet", "--no-deps", "--no-index", str(wheel)], timeout=120, check=True)
    # As a line of a .pth file the folder's own .pth files do not count, so that the checkout is not found.
    (packages(folder) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return folder


def packages(environment: Path) -> Path:
    return Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user's empty folder far from the checkout."""
    folder = tmp_path / "user"
    folder.mkdir()
    return folder


def run(installed: Path, home: Path, program: str, *args: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / "data")}
    environ.pop("PYTHONPATH", None)
    return subprocess.run(
        [str(installed / "bin" / program), *args],
        cwd=home,
        env=environ,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
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


def test_the_command_its_licence_and_its_extras_are_declared(installed: Path, home: Path) -> None:
    (info,) = packages(installed).glob("ftjobs-*.dist-info")
    assert "ftjobs = ftjobs.__main__:main" in (info / "entry_points.txt").read_text()
    assert list(info.rglob("LICENSE"))
    metadata = Parser().parsestr((info / "METADATA").read_text())
    assert metadata["Name"] == "ftjobs"
    needed = {line.partition(";")[0].strip() for line in metadata.get_all("Requires-Dist", []) if ";" not in line}
    assert any(each.startswith("alembic") for each in needed)
    assert not any(each.startswith(("pytest", "uvicorn", "click")) for each in needed)
    assert {"sandbox", "report", "postgres"} <= set(metadata.get_all("Provides-Extra", []))
    assert run(installed, home, "ftjobs", "--version").stdout.startswith("ftjobs ")


def test_a_first_ledger_is_made_from_the_migrations_inside(installed: Path, home: Path) -> None:
    where = run(installed, home, "python", "-c", "import ftjobs; print(ftjobs.__file__)")
    assert Path(where.stdout.strip()).parent == packages(installed) / "ftjobs"
    assert not (packages(installed) / "migrations").exists()
    done = run(installed, home, "ftjobs", "ledger", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["schema"], told["jobs"]) == ("ftjobs.ledger/1", [])
    assert (home / "data" / "ftjobs" / "ledger.sqlite3").stat().st_size > 0


def test_an_estimate_finds_the_models_and_prices_inside(installed: Path, home: Path) -> None:
    data = home / "data.jsonl"
    data.write_text("".join(f"{chat_line(number)}\n" for number in range(12)), encoding="utf-8")
    done = run(installed, home, "ftjobs", "estimate", "data.jsonl", "--model", "gpt-4o-mini", "--json")
    assert done.returncode == 0, done.stderr
    (estimate,) = json.loads(done.stdout)["estimates"]
    assert estimate["price"]["usd_per_1m"] == "3.00"


def test_without_the_migrations_inside_no_ledger_is_made(installed: Path, home: Path) -> None:
    """Without this, the test above could pass by migrations that lie elsewhere."""
    inside, aside = packages(installed) / "ftjobs" / "migrations", home / "aside"
    shutil.move(inside, aside)
    try:
        assert run(installed, home, "ftjobs", "ledger", "--json").returncode != 0
    finally:
        shutil.move(aside, inside)


def test_the_sdist_makes_the_same_wheel_and_brings_what_a_developer_needs(
    built: Path, wheel: Path, tmp_path: Path
) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (source,) = (tmp_path / "unpacked").iterdir()
    build(source, tmp_path / "again", "-t", "wheel")
    (again,) = (tmp_path / "again").glob("*.whl")
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as other:
        assert {each.filename: each.CRC for each in one.infolist()} == {
            each.filename: each.CRC for each in other.infolist()
        }
    pages = {path.name for path in ROOT.glob("*.md")}
    others = {"Makefile", "LICENSE", "config.example.toml", "constraints.txt", ".ci", "migrations", "tests"}
    assert pages | others <= {path.name for path in source.iterdir()}
