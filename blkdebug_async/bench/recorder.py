"""What is noted of each request while it is timed, and made into a result later.

No asyncio in here. A request costs one append to an array, or three if it waited. Histograms are
fed from these arrays when nothing is in flight that would be held up, or in the end.
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from typing import Final

from blkdebug_async.bench.histogram import Histogram
from blkdebug_async.bench.job import Op
from blkdebug_async.bench.result import OpResult, Sample

#: Latencies that may wait to be counted, 8 bytes each; beyond that they are counted at any time.
MOST_KEPT: Final = 1 << 25


class Recorder:
    """One kind of request of one job, since measuring began. Times are nanoseconds.

    Args:
        op: Which kind.
        start_ns: When measuring began.
    """

    def __init__(self, op: Op, start_ns: int) -> None:
        self.op = op
        #: Bytes of answered requests.
        self.bytes = 0
        self.errors: Counter[int] = Counter()
        #: Requests that were cancelled before their answer came.
        self.cancelled = 0
        #: Latencies of requests that were answered in the call, when they were due.
        self.instant = _numbers()
        #: Those of the others, one number a request in each.
        self.submission, self.completion, self.total = _numbers(), _numbers(), _numbers()
        self._instants, self._submissions = Histogram(), Histogram()
        self._completions, self._totals = Histogram(), Histogram()
        #: Taken out of the arrays, and not in the histograms yet.
        self._kept: deque[tuple[Histogram, array[int]]] = deque()
        self._start_ns = start_ns
        self._samples: list[Sample] = []
        self._interval = _Interval(start_ns)

    def answer(self, submission: int, completion: int, total: int) -> None:
        """Note a request that had to wait."""
        self.submission.append(submission)
        self.completion.append(completion)
        self.total.append(total)

    def collect(self, idle: bool) -> None:
        """Take in what was noted since the last time; whoever holds the arrays forgets them.

        Args:
            idle: Nothing is in flight, so that there is time for it.
        """
        self._interval.add(self.instant, self.instant, self.instant)
        self._interval.add(self.submission, self.completion, self.total)
        for histogram, numbers in (
            (self._instants, self.instant),
            (self._submissions, self.submission),
            (self._completions, self.completion),
            (self._totals, self.total),
        ):
            if numbers:
                self._kept.append((histogram, numbers))
        self.instant = _numbers()
        self.submission, self.completion, self.total = _numbers(), _numbers(), _numbers()
        if idle or sum(len(numbers) for _, numbers in self._kept) > MOST_KEPT:
            self._count()

    def sample(self, now_ns: int) -> Sample:
        """End an interval and begin the next; after collect()."""
        interval, self._interval = self._interval, _Interval(now_ns, self.bytes)
        requests = interval.requests
        # A sum of none is 0, and so is its mean.
        means = [each / (requests or 1) for each in interval.sums_ns]
        sample = Sample(
            start_ns=interval.start_ns - self._start_ns,
            end_ns=now_ns - self._start_ns,
            requests=requests,
            bytes=self.bytes - interval.bytes,
            mean_ns=means[2],
            max_ns=interval.longest_ns,
            submission_mean_ns=means[0],
            completion_mean_ns=means[1],
        )
        self._samples.append(sample)
        return sample

    def result(self, now_ns: int) -> OpResult:
        """All that was noted until now; the recorder is used up."""
        self.collect(idle=True)
        if now_ns > self._interval.start_ns:
            self.sample(now_ns)
        for histogram in (self._submissions, self._completions, self._totals):
            histogram.merge(self._instants)
        requests = self._totals.count
        return OpResult(
            op=self.op,
            issued=requests + self.errors.total() + self.cancelled,
            requests=requests,
            bytes=self.bytes,
            errors=dict(self.errors),
            cancelled=self.cancelled,
            runtime_ns=now_ns - self._start_ns,
            submission=self._submissions,
            completion=self._completions,
            total=self._totals,
            samples=tuple(self._samples),
        )

    def _count(self) -> None:
        while self._kept:
            histogram, numbers = self._kept.popleft()
            histogram.add(numbers)


class _Interval:
    """Sums over requests that were answered during one interval."""

    def __init__(self, start_ns: int, bytes_before: int = 0) -> None:
        self.start_ns = start_ns
        #: How many bytes there had been before it.
        self.bytes = bytes_before
        self.requests = self.longest_ns = 0
        #: Of submission, completion and total latencies.
        self.sums_ns = [0, 0, 0]

    def add(self, submission: array[int], completion: array[int], total: array[int]) -> None:
        if total:
            self.requests += len(total)
            for index, latencies in enumerate((submission, completion, total)):
                self.sums_ns[index] += sum(latencies)
            self.longest_ns = max(self.longest_ns, max(total))


def _numbers() -> array[int]:
    return array("Q")
