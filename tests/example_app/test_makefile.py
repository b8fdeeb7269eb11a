"""What make says on a machine that is not ready; the good case is what CI runs."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKE = shutil.which("make")

pytestmark = pytest.mark.skipif(MAKE is None, reason="make is not installed")


@pytest.fixture
def make(tmp_path):
    """Run a target with a Python that is a shell script, and return how it ended."""

    def run(target, script):
        python = tmp_path / "python"
        if script is not None:
            python.write_text(f"#!/bin/sh\n{script}\n")
            python.chmod(0o755)
        return subprocess.run(  # our own Makefile
            [MAKE, "--no-print-directory", target, f"PYTHON={python}", f"VENV={tmp_path / 'venv'}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.mark.parametrize("target", ["demo", "test", "lint"])
@pytest.mark.parametrize(
    ("script", "told"),
    [
        (None, "Install Python 3.11 or newer"),
        ('[ "$1" = --version ] && echo "Python 3.9.1" && exit; exit 1', "is Python 3.9.1; this needs 3.11"),
        ('case "$2" in *ensurepip*) exit 1;; esac', "apt install python3-venv"),
    ],
)
def test_a_machine_that_is_not_ready_is_told_what_to_do(make, tmp_path, target, script, told):
    ended = make(target, script)

    assert ended.returncode != 0
    assert told in ended.stdout
    assert not (tmp_path / "venv").exists()
