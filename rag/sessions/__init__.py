"""Chats that outlive the process."""
