"""`python -m digitjax` is `digitjax`."""

import sys

from digitjax.cli import main

if __name__ == "__main__":
    sys.exit(main())
