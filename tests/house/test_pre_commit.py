"""The hook `envspec-check`, installed and run by the real pre-commit from a repository like this one."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GOOD = "version: 1\nservices:\n  web: {use: http-server}\n"
BAD = "version: 1\nservices:\n  web:\n    use: http-server\n    depend_on: [page]\n"
ENTRY = "version: 1\ndescription: A page.\nservice:\n  command: [sleep, '1']\n"


@dataclass(frozen=True)
class Project:
    """A git repository that uses the hook."""

    folder: Path
    environ: dict[str, str]

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def commit(self, path: str, text: str) -> subprocess.CompletedProcess[str]:
        """Write a file and try to commit it, as an engineer would."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        self.run("git", "add", path)
        return self.run("git", "commit", "-m", f"Change {path}")


def repository(folder: Path, environ: dict[str, str]) -> Project:
    folder.mkdir(exist_ok=True)
    project = Project(folder, environ)
    project.run("git", "init", "-q", "-b", "main")
    return project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose hooks are installed, from a repository that is this tree as it stands."""
    home = tmp_path_factory.mktemp("pre-commit")
    names = {f"GIT_{who}_{what}": "tester@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "PRE_COMMIT"))} | names
    environ |= {
        "HOME": str(home),
        "PRE_COMMIT_HOME": str(home / "cache"),
        "PIP_CONSTRAINT": str(ROOT / "constraints.txt"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    hooks = repository(home / "hooks", environ)
    listed = subprocess.check_output(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, text=True)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (hooks.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (hooks.folder / name).write_bytes((ROOT / name).read_bytes())
    hooks.run("git", "add", "--all")
    assert hooks.run("git", "commit", "-q", "-m", "As it stands").returncode == 0
    revision = hooks.run("git", "rev-parse", "HEAD").stdout.strip()

    user = repository(home / "user", environ)
    config = f"repos:\n- repo: file://{hooks.folder}\n  rev: {revision}\n  hooks: [{{id: envspec-check}}]\n"
    (user.folder / ".pre-commit-config.yaml").write_text(config)
    user.run("git", "add", ".pre-commit-config.yaml")
    installed = user.run("pre-commit", "install", "--install-hooks")
    assert installed.returncode == 0, installed.stdout + installed.stderr
    user.run("git", "commit", "-q", "-m", "Check environments")
    return user


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_good_environment_is_committed(project: Project) -> None:
    result = project.commit("environments/good.yaml", GOOD)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "envspec check" in result.stderr
    assert "Passed" in result.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_bad_environment_is_not_and_its_mistake_is_named(project: Project) -> None:
    result = project.commit("environments/bad.yaml", BAD)
    project.run("git", "reset", "-q", "--hard")
    assert result.returncode == 1
    assert "environments/bad.yaml:5:5: error[unknown-key]" in result.stderr
    assert "depends_on" in result.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", ["environments/vllm/bad.yaml", "sub/environments/a/b/bad.yml"])
def test_folders_below_environments_are_checked_as_well(project: Project, path: str) -> None:
    result = project.commit(path, BAD)
    project.run("git", "reset", "-q", "--hard")
    assert result.returncode == 1
    assert f"{path}:5:5: error[unknown-key]" in result.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_catalog_entry_in_a_folder_is_checked_as_one(project: Project) -> None:
    good = project.commit("environments/entries/web.yaml", ENTRY)
    assert good.returncode == 0, good.stdout + good.stderr
    assert "Passed" in good.stderr

    bad = project.commit("environments/entries/web.yaml", ENTRY + "  helth: []\n")
    project.run("git", "reset", "-q", "--hard")
    assert bad.returncode == 1
    assert "environments/entries/web.yaml:5:3: error[unknown-key]" in bad.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_other_yaml_files_are_none_of_its_business(project: Project) -> None:
    result = project.commit("compose.yaml", "services: []\n")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Skipped" in result.stderr
