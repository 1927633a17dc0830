"""Versions for the records."""

from importlib import metadata
from pathlib import Path

import syntrans_l2l
from syntrans_l2l.cache import code_digest


def package_versions() -> dict[str, str]:
    """Versions of what computes, and a hash of this package's own source.

    reporting/ and cli/ compute no number of a record: a new figure or option makes none stale.
    """
    package = Path(syntrans_l2l.__file__).parent
    modules = [
        ".".join(("syntrans_l2l", *path.with_suffix("").parts))
        for path in sorted(file.relative_to(package) for file in package.rglob("*.py"))
        if path.parts[0] not in ("reporting", "cli")
    ]
    names = ("torch", "numpy", "learn2learn", "open_clip_torch", "transformers", "timm")
    versions = {"code": code_digest(*(m.removesuffix(".__init__") for m in modules))}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "absent"
    return versions
