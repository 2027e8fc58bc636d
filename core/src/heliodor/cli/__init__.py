"""The command line: one module a group of commands, tables and errors in one place."""

COMMANDS = ("run", "plan", "picture", "steps", "step", "modes", "pipelines", "new", "plugins")
"""Names of our own commands; plugins have others."""
