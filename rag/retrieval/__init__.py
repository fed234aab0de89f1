"""Question to passages: ranked lists, fused, filtered and ordered."""
