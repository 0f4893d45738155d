"""Recipes by name, a module each: its docstring says how to run it, in what time, and what it then reads."""
