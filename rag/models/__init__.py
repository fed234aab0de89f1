"""Names of models to folders on this machine."""
