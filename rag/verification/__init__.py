"""An answer checked against its passages: claims, numbers, names, citations."""
