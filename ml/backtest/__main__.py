"""`python -m ml.backtest`: see command."""

import signal
from types import FrameType

from .command import main


class Ended(BaseException):
    """The run was ended from outside; no model's failure, so that nothing takes it for one."""


def _end(number: int, frame: FrameType | None) -> None:
    raise Ended(number)


if __name__ == "__main__":
    # A run that is ended from outside leaves what it has so far, for --reuse.
    signal.signal(signal.SIGTERM, _end)
    try:
        raise SystemExit(main())
    except Ended as ended:
        raise SystemExit(128 + int(ended.args[0])) from None
