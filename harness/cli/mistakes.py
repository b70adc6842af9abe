"""Whose mistake an error is: a user's is told in one line, ours with where it happened."""

from __future__ import annotations

from harness.spec import UsageError


def is_users(error: ValueError) -> bool:
    """Whether an error is a mistake that the user can mend, from any room."""
    if isinstance(error, UsageError):
        return True
    from datasets.image import UnreadableImageError
    from datasets.sample import DatasetError
    from derainers import DerainerError
    from reports.papers.claims import ClaimError
    from tasks.task import TaskError

    known = DatasetError | DerainerError | UnreadableImageError | TaskError | ClaimError
    return isinstance(error, known)
