"""Types of the public names for reports, for type checkers and editors."""

from blkdebug_async.report.html import html_page, write_html
from blkdebug_async.report.perfetto import perfetto_trace, write_perfetto
from blkdebug_async.report.pytest_case import pytest_case
from blkdebug_async.report.qemu_io import NoScript, Script, qemu_io_script
from blkdebug_async.report.text import text_report

__all__ = [
    "NoScript",
    "Script",
    "html_page",
    "perfetto_trace",
    "pytest_case",
    "qemu_io_script",
    "text_report",
    "write_html",
    "write_perfetto",
]
