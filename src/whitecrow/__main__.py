"""`python -m whitecrow` is the command `whitecrow`."""

import sys

from whitecrow.cli import main

if __name__ == "__main__":
    sys.exit(main())
