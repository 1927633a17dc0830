"""Which code computed."""

import subprocess
from pathlib import Path

import syntrans_l2l


def commit() -> str:
    """The commit of the repository that the package lies in, marked where its tree has changes.

    A package that was installed, in whose folder there is no repository of its own, answers with
    its version.
    """
    repository = Path(syntrans_l2l.__file__).resolve().parent.parent
    installed = f"syntrans-l2l {syntrans_l2l.__version__}"
    if not (repository / ".git").exists():
        return installed
    git = ["git", "-C", str(repository), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        answer = subprocess.run(git, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return installed
    return answer.stdout.strip()
