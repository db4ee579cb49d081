"""`python -m ml.backtest`: see command."""

import signal
import sys

from .command import main

if __name__ == "__main__":
    # A run that is ended from outside leaves what it has so far, for --reuse.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    raise SystemExit(main())
