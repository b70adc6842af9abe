"""Records, results and the statistics on them: data, draws nothing."""
