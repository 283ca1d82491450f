"""What may go wrong on the way to Kaggle and back."""

from __future__ import annotations


class KaggleError(Exception):
    """Something that stops a command; the message says what, where, and what to do."""
