"""When a training ends before its last step."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Any

from harness.training.validation import Validation

if TYPE_CHECKING:
    from derainers.derainer import Derainer

VALIDATION_SHARE = 0.1
"""Of the minutes that a training may take, what is left for the validation at its end."""


class Ending:
    """Whether the time for steps is over, or the process was asked to end."""

    def __init__(self, max_minutes: float | None) -> None:
        self.until = None if max_minutes is None else time.monotonic() + 60 * max_minutes
        """When everything ends, by the monotonic clock."""
        kept_s = 0.0 if max_minutes is None else VALIDATION_SHARE * 60 * max_minutes
        self._steps_until = None if self.until is None else self.until - kept_s
        self._asked = False
        self._before: Any = None

    def __call__(self) -> bool:
        """Whether no step is to follow."""
        return self._is_after(self._steps_until)

    def is_over(self) -> bool:
        """Whether a validation has no more time either."""
        return self._is_after(self.until)

    def _is_after(self, moment: float | None) -> bool:
        return self._asked or (moment is not None and time.monotonic() >= moment)

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._ask)

    def __exit__(self, *_: object) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._before)

    def _ask(self, *_: object) -> None:
        self._asked = True


def scores_in_time(
    validation: Validation, derainer: Derainer, ended: Ending
) -> dict[str, float] | None:
    """Scores of weights that no validation chose, where there is time for them."""
    from derainers.training.loop import OutOfTimeError

    try:
        return validation.scores(derainer.restore, ended.is_over)
    except OutOfTimeError:
        return None
