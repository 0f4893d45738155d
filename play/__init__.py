"""The drawing program: draw, and the network answers in the same frame. `python -m play --help`."""
