"""Quality, measured: questions with known places run through a pipeline, scored, compared."""
