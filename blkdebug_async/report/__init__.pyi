"""Types of the public names for reports, for type checkers and editors."""

from blkdebug_async.report.html import html_page, write_html
from blkdebug_async.report.text import text_report

__all__ = ["html_page", "text_report", "write_html"]
