"""``python -m sessionfs``: the command line."""

from sessionfs.cli import main_process

if __name__ == "__main__":
    main_process()
