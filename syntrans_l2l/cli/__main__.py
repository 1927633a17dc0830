"""`python -m syntrans_l2l.cli` is the command `syntrans`."""

import sys

from syntrans_l2l.cli.main import main

sys.exit(main())
