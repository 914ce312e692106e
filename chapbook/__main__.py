"""`python -m chapbook`."""

import sys

from chapbook.cli import main

if __name__ == "__main__":
    sys.exit(main())
