"""Records, results and what is resampled of them: data, draws nothing."""
