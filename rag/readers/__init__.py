"""Files to pages: one reader a format, and what reads a PDF page."""
