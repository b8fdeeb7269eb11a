"""The site, built once as `make docs` builds it: what Sphinx warns of fails."""

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

import browsers
import pytest
from pages import ROOT


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Build the site, once for all processes of this run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "site"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "index.html").exists():
            command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d"]
            built = subprocess.run(
                [*command, str(folder.with_suffix(".doctrees")), str(ROOT / "docs"), str(folder)],
                capture_output=True,
                text=True,
                check=False,
            )
            if built.returncode:
                shutil.rmtree(folder, ignore_errors=True)
            assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture(scope="module")
def chromium():
    with browsers.chromium("--allow-file-access-from-files") as found:
        yield found
