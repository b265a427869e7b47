"""``python -m sessionfs``: the command line."""

from sessionfs.cli import main_process

main_process()
