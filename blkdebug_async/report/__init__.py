"""Failures shown to people: as text, as a page to step through, as a trace, as code to paste."""

from __future__ import annotations

from blkdebug_async.lazy import lazy_names

#: Defining module to the names that it gives.
_HOMES = {
    "blkdebug_async.report.html": "html_page write_html",
    "blkdebug_async.report.perfetto": "perfetto_trace write_perfetto",
    "blkdebug_async.report.pytest_case": "pytest_case",
    "blkdebug_async.report.qemu_io": "NoScript Script qemu_io_script",
    "blkdebug_async.report.text": "text_report",
}

__all__, __getattr__, __dir__ = lazy_names(globals(), _HOMES)
