"""Lets the clock of a Python program be ahead by `SECONDS_AHEAD`: for the folder of this file in ``PYTHONPATH``.

Python imports it at the start. Debian's libfaketime is no alternative: with it, `time.sleep` of Python 3.11 raises
`OSError`. The clock of extension modules does not change.
"""

import datetime
import os
import time
from datetime import timedelta, tzinfo

_ahead = timedelta(seconds=float(os.environ["SECONDS_AHEAD"]))
_time = time.time
_datetime = datetime.datetime


class _AlsoOfTheOriginal(type):
    """Lets the class include what was created by the original one."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _datetime)


class _Datetime(_datetime, metaclass=_AlsoOfTheOriginal):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> _datetime:  # type: ignore[override]  # as the original class
        return _datetime.now(tz) + _ahead


datetime.datetime = _Datetime  # type: ignore[misc]  # that is the purpose
time.time = lambda: _time() + _ahead.total_seconds()
