"""Before Brian2 loads: refuse to run code that lies in the working directory.

Brian2 2.9 ends its own import by reading two preference files, ``~/.brian/user_preferences`` and ``./brian_preferences``, and evaluates
the right-hand side of each of their lines as Python. The first is the user's own. The second belongs to whoever filled the current
directory, and who enters a downloaded folder does not expect that starting a program there runs what the folder says.
"""

import os
import sys
from pathlib import Path

ALLOW = "BIONEURO_ALLOW_PREFERENCES"
"""Environment variable: 1 lets Brian2 evaluate the preferences of the current directory."""

PREFERENCES = "brian_preferences"


class PreferencesError(RuntimeError):
    """The current directory holds a file that Brian2 would run as code."""


def brian2_may_load() -> None:
    """Call before the first import of Brian2; does nothing once Brian2 is loaded.

    Raises:
        PreferencesError: the current directory holds a ``brian_preferences`` file.
    """
    # Brian2 ignores what it cannot open as a file, such as a directory.
    if "brian2" in sys.modules or os.environ.get(ALLOW) == "1" or not os.path.exists(PREFERENCES) or os.path.isdir(PREFERENCES):
        return
    raise PreferencesError(
        f"{Path(PREFERENCES).absolute()}: Brian2 would run the values in this file as Python code when it is imported; move the file away, "
        f"start in another directory, or, if you wrote it, set the environment variable {ALLOW}=1"
    )
