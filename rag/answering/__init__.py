"""Passages to an answer: prompt, engine, refusal, whole documents."""
