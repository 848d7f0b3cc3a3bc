"""Which scripts there are and which of them a request names: repositories, their index, selection, suggestions."""
