"""One sector: is there a serial order of the writes that explains what every read returned?"""

from __future__ import annotations
