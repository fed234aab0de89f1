"""Embedding models on this machine: what their files say of them, and what computes them."""
