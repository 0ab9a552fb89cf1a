"""The text of `blkdebug-async explore --help`."""

from __future__ import annotations

from typing import Final

USAGE: Final = """\
Usage: {program} [OPTION]... MODULE:FUNCTION
Run an async function under many schedules of its tasks, of requests in flight
and of faults; tell the simplest one under which it fails.

MODULE:FUNCTION is a function without arguments that makes a coroutine, as in
package.module:function, path/to/file.py:function or module:object.function;
modules are also looked for in the current folder.

How far
  --runs N             most runs, without those to make a failure simpler (2000)
  --seconds TIME       most seconds; no run is broken off
  --steps N            a run of more steps is left (100000)
  --shrink-runs N      most runs to make a failure simpler (300)
  --jobs N             in so many processes, or auto: one for each processor (1)

Which runs
  --strategy NAME      auto, random, pct, pct:D, pos, bounded, bounded:K, dpor,
                       fifo, replay (auto)
  --seed N             the same seed makes the same runs (0)
  --assume WORD        what tasks may share unseen, for dpor: nothing is assumed,
                       or disk-only: they share nothing but disks (nothing)
  --atomic-unit SIZE   bytes that a device writes all or not at all (a sector, or
                       what its alignment says)
  --may-leave          tasks and requests may be left behind
  --timers-last        timers fire only when nothing else can happen

A failure
  --token TOKEN        make this one run again, and tell of it; also 0,2,0,1
  --report DIR         write all about it into files: text, a page, a trace, code
  --store DIR          where tokens are kept, to be tried first the next time
                       (.explore)
  --no-store           keep none, try none

What is shown
  --full               every step
  --json               JSON instead of text
  -q, --quiet          nothing of how far it is

  -h, --help           show this and exit
  -V, --version        show the version and exit

What the function prints is shown with --token only. Ctrl-C ends the search and
shows what is known; a second one ends it at once.

Exit status: 0, no run failed; 1, one did, or something never happened that
should sometimes; 2, the command line makes no sense or the function cannot be
explored; 130, interrupted.
"""
