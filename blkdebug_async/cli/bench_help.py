"""The text of `blkdebug-async bench --help`."""

from __future__ import annotations

from typing import Final

USAGE: Final = """\
Usage: {program} [OPTION]... [--name JOB [OPTION]...]... IMAGE
Put load on an image and tell how fast it is. Options have fio's names where
fio has them; those before the first --name are of all jobs.

What requests do
  --rw WORD            read, write, rw, zero, discard; randread etc. at random
  --rwmixread N        per cent of reads with rw (50)
  --mix OP=N,OP=N...   weights of read, write, zero and discard, instead; at
                       random if --rw says so
  --bs SIZE            length of a request (4k)
  --bssplit S/N:S/N... lengths and their shares in per cent
  --blockalign SIZE    offsets are multiples of it (the smallest length)
  --offset SIZE --size SIZE        the range (from 0, to the end)
  --random-distribution zipf:1.2   few blocks are wanted often (random)
  --fsync N            a flush after so many writes
  --verify             mark what is written, check all that is read
  --buffer-pattern 0xHEX, --zero-buffers   what is written (random bytes)
  --seed N             chance begins here (0)

How much at once, how fast, how long
  --iodepth N          most requests in flight (1)
  --numjobs N          so many of this job
  --rate SIZE, --rate-iops N       most bytes, or requests, per second
  --thinktime TIME     pause after an answer; without a unit, microseconds
  --runtime TIME       measured time; without a limit the range is covered once
  --number-ios N, --io-size SIZE   other limits
  --ramp-time TIME, --ramp-ios N   before it is measured
  --continue-on-error  count errors and go on; otherwise the first ends a job

The image
  -f FORMAT, --image-opts, -r, -s, -n, -C, -k, -U, -i AIO, -t CACHE, -d DISCARD
                       as 'blkdebug-async io --help' tells; writeback if no -t;
                       without -i the page cache in place, else io_uring, else
                       threads, as -i auto
  --blockdev OPTIONS   instead of IMAGE: JSON, or key=value,...
  --filename IMAGE     the image of a job
  --direct             as -n
  --compat MODE        where to do as QEMU does: none, qemu-7.2, seed

What is shown
  --output-format FORMAT   table, json (all there is), fio (its JSON, with bins)
  --output FILE        there, instead of on the screen
  --picture FILE       latencies and throughput, .svg or .png
  --write-log PREFIX   fio's logs: PREFIX_bw.1.log, _iops, _lat, _slat, _clat
  --log-avg-msec N     length of their intervals (500)
  --eta WHEN           the line while it runs: auto, always, never
  --loop LOOP          asyncio or uvloop

  -h, --help           show this and exit
  -V, --version        show the version and exit

Exit status: 0, all requests were answered and all that was verified was right;
1, not so, or the image could not be opened; 2, the command line makes no sense;
130, interrupted.
"""
