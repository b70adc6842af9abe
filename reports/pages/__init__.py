"""The page of a run, the board, pictures."""
