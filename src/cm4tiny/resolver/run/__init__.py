"""The life of one run: the session, hooks of ``customize.py``, native scripts."""
