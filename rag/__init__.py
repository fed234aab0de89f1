"""Private question answering over one's own PDFs, wholly on one's own machine."""
