"""The one door to learn2learn: quiet when it is there, helpful when it is not."""

import contextlib
import io
from types import ModuleType

RECIPE = 'pip install "learn2learn==0.2.0" --config-settings="--build-option=build_ext"'


def learn2learn() -> ModuleType:
    """Import learn2learn on first use (4 s) and return the module.

    Its import of gym prints an "unmaintained" banner that says nothing to our users, so
    the error stream is set aside meanwhile.

    Raises:
        ImportError: learn2learn is not installed; the message holds the recipe that works.
    """
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            import learn2learn
            import learn2learn.vision
    except ImportError as error:
        raise ImportError(f"this needs learn2learn ({error}); install it with: {RECIPE}") from error
    module: ModuleType = learn2learn
    return module
