"""Verifiers that read: a small model over claim and evidence, and its part beside the words."""
