"""The ask flow: question and history → retrieval → prompt → engine → grounded answer."""
