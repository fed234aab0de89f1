"""Files to an index: extraction, chunking, and the run that keeps the index in step."""
