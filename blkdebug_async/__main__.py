"""Starts the shell: python -m blkdebug_async."""

from __future__ import annotations

import sys

from blkdebug_async.cli.shell import main

if __name__ == "__main__":
    sys.exit(main())
