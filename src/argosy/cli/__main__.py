"""``python -m argosy.cli``."""

import sys

from . import main

sys.exit(main())
