"""``python -m bioneuro`` is the command ``bioneuro``."""

import sys

from bioneuro.cli import main

sys.exit(main())
