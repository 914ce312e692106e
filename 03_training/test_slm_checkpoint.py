"""A third name the guides use for test_checkpoint.py: the same program."""

import sys

from test_checkpoint import main

if __name__ == "__main__":
    sys.exit(main())
