"""The command line: one module a group of commands, tables and errors in one place."""

COMMANDS = (
    "run", "plan", "refs", "lock", "sync", "picture", "steps", "step", "explain", "schema", "modes",
    "pipelines", "pipeline", "builds", "whatsnew", "new", "plugins",
)  # fmt: skip
"""Names of our own commands; plugins have others."""
