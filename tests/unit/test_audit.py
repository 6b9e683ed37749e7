"""The audit fails for a known vulnerability, and where nothing can be known it says so rather than pass."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

SAFE = {"name": "safe", "version": "1", "vulns": []}
FLAWED = {"name": "flawed", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
UNKNOWN = {"name": "unknown", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("printed", "code", "said"),
    [
        (json.dumps({"dependencies": [SAFE, UNKNOWN]}), 0, "1 of 2 packages were looked up"),
        (json.dumps({"dependencies": [SAFE, FLAWED]}), 1, "flawed 2 has known vulnerabilities: PYSEC-1"),
        (json.dumps({"dependencies": [UNKNOWN]}), 0, "not done"),
        ("", 0, "not done"),
    ],
)
def test_an_audit_tells_what_is_known(tmp_path: Path, printed: str, code: int, said: str) -> None:
    (tmp_path / "pip_audit.py").write_text(f"print({printed!r})")
    command = [sys.executable, str(ROOT / ".ci" / "audit")]
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    audit = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert audit.returncode == code, audit.stderr
    assert said in audit.stdout
