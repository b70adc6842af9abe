"""Regular expressions of users and their suites, whose time is linear whatever they ask for."""

from __future__ import annotations

from typing import Any

import re2

LACKS = "RE2 has no (?=…), (?<=…) and \\1, and no repetition above 1000"


def compiled(expression: str) -> Any:
    """An expression of RE2, which neither looks around nor back.

    Raises:
        ValueError: With RE2's reason, if it is none.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(expression, options=options)
    except (re2.error, UnicodeError) as error:
        told = error.args[0]
        reason = told.decode(errors="replace") if isinstance(told, bytes) else str(error)
        raise ValueError(f"{reason} ({LACKS})") from error


def starred(pattern: str, star: str = ".*?", rest: str = "") -> Any:
    """The expression of a pattern, in which each ``*`` is a group.

    Args:
        pattern: Text with stars.
        star: What one of them matches.
        rest: An expression that follows the pattern.

    Raises:
        ValueError: If it is longer than RE2 takes.
    """
    return compiled("(?s)" + f"({star})".join(map(re2.escape, pattern.split("*"))) + rest)
