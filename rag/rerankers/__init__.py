"""Models that read question and passage together and rank once more."""
