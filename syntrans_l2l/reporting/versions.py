"""Versions for the records."""

from importlib import metadata

_NAMES = ("torch", "numpy", "learn2learn", "open_clip_torch", "transformers", "timm")


def package_versions() -> dict[str, str]:
    """Versions of what computes; a record adds the hash of the code that made its row."""
    versions = {}
    for name in _NAMES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "absent"
    return versions
