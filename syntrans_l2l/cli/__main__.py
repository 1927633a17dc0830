"""`python -m syntrans_l2l.cli` is the command `syntrans`."""

import sys

from syntrans_l2l.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
