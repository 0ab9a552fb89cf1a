"""Makes sessions from numbers: the same number gives the same session.

The sessions have one possible output in QEMU: an asynchronous request is waited for before the next
thing is done, unless a breakpoint that it is sure to reach holds it. And they stay clear of what
kills QEMU 7.2 or reads memory that it has not written:

* a discard over blkdebug that is not aligned to a given align (a failed assertion),
* a failed read of a read-modify-write (uninitialised memory reaches the image),
* a refused zero write with a max-transfer that is no multiple of opt-write-zero (an assertion).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from tests.compat.sessions import KIB, SECTOR, Image, Session, prefixed

SIZES = (64 * KIB, 128 * KIB, 192 * KIB, 256 * KIB, 1024 * KIB)
ALIGNS = (512, 512, 1024, 4096, 4096, 4096, 16384)
BASE_EVENTS = (
    "read_aio",
    "write_aio",
    "pwritev",
    "pwritev_done",
    "pwritev_zero",
    "pwritev_rmw_head",
    "pwritev_rmw_after_head",
    "pwritev_rmw_tail",
    "pwritev_rmw_after_tail",
    "flush_to_os",
    "flush_to_disk",
    "none",
)
#: More often than others: what every write or read meets, so that most rules get something to do.
EVENTS = (*BASE_EVENTS, *("none", "write_aio", "read_aio", "pwritev", "pwritev") * 3)
CACHES = (*("writeback",) * 3, *("writethrough",) * 2, "unsafe", "none")
IO_TYPES = ("read", "write", "write-zeroes", "discard", "flush", "block-status")
ERRNOS = (0, 1, 5, 5, 16, 22, 28, 28, 95, 122)


@dataclass(slots=True)
class Setting:
    """What the commands of a session have to respect."""

    #: Bytes; commands may change it.
    size: int
    has_raw: bool = True
    has_blkdebug: bool = True
    cache: str = "writeback"
    #: Bytes, by option.
    limits: dict[str, int] = field(default_factory=dict)
    #: A rule may fail the reads of a read-modify-write.
    reads_may_fail: bool = False
    #: Some open error is expected; nothing else matters.
    is_broken: bool = False

    @property
    def align(self) -> int:
        return self.limits.get("align", 1)


class Generator:
    """One session in the making."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._setting = Setting(self._random.choice(SIZES))
        self._tags = 0

    def session(self) -> Session:
        random, setting = self._random, self._setting
        filled = random.choice((setting.size, setting.size // 2, 0))
        image = Image(setting.size, filled=filled)
        kind = random.random()
        setting.has_raw = kind < 0.8
        setting.has_blkdebug = kind >= 0.1
        options = self._blkdebug_options() if setting.has_blkdebug else ""
        setting.cache = random.choice(CACHES)
        commands = self._commands()
        words = ("--image-opts", "-t", setting.cache, self._tree(options))
        return Session(words, tuple(commands), files={"img": image})

    def _tree(self, options: str) -> str:
        leaf = "driver=file,filename=img"
        if not self._setting.has_blkdebug:
            return f"driver=raw{prefixed(leaf, 'file.')}"
        blkdebug = f"driver=blkdebug{prefixed(options, '')}{prefixed(leaf, 'image.')}"
        return f"driver=raw{prefixed(blkdebug, 'file.')}" if self._setting.has_raw else blkdebug

    def _blkdebug_options(self) -> str:
        self._choose_limits()
        if self._random.random() < 0.05:
            self._setting.limits["align"] = 3 * 7
            self._setting.is_broken = True
        limits = [f"{name}={value}" for name, value in self._setting.limits.items()]
        return ",".join([*limits, *self._rules()])

    def _choose_limits(self) -> None:
        random, limits = self._random, self._setting.limits
        if random.random() < 0.6:
            limits["align"] = random.choice(ALIGNS)
        unit = limits.get("align", 1) if random.random() < 0.5 else max(limits.get("align", 1), 512)
        if random.random() < 0.4:
            limits["max-transfer"] = max(unit, 512) * random.choice((1, 2, 3, 5, 8))
        for kind in ("write-zero", "discard"):
            if random.random() < 0.4:
                limits[f"opt-{kind}"] = max(unit, 512) * random.choice((1, 2, 3, 4, 7, 8))
            if random.random() < 0.3:
                step = limits.get(f"opt-{kind}", max(unit, 512))
                limits[f"max-{kind}"] = step * random.choice((1, 2, 3, 8))
        # A refused middle would be written in pieces at which QEMU trips.
        if "opt-write-zero" in limits and "max-transfer" in limits:
            limits["max-transfer"] = limits["opt-write-zero"] * random.choice((1, 2, 3))

    def _rules(self) -> list[str]:
        random = self._random
        if random.random() < 0.25:
            return []
        errors = [self._inject_error() for _ in range(random.choice((0, 1, 1, 1, 2, 3)))]
        states = [self._set_state() for _ in range(random.choice((0, 0, 1, 2, 3)))]
        return [
            f"{kind}.{index}.{key}={value}"
            for kind, rules in (("inject-error", errors), ("set-state", states))
            for index, rule in enumerate(rules)
            for key, value in rule.items()
        ]

    def _inject_error(self) -> dict[str, str]:
        random = self._random
        rule = {"event": random.choice(EVENTS)}
        if random.random() < 0.6:
            rule["iotype"] = random.choice(IO_TYPES)
        if random.random() < 0.8:
            rule["errno"] = str(random.choice(ERRNOS))
        if random.random() < 0.3:
            rule["sector"] = str(self._place() // SECTOR)
        if random.random() < 0.4:
            rule["state"] = str(random.choice((0, 1, 1, 2, 2, 3)))
        for flag in ("once", "immediately"):
            if random.random() < 0.5:
                rule[flag] = random.choice(("on", "on", "off"))
        if rule.get("iotype", "read") == "read" and rule.get("errno") != "0":
            self._setting.reads_may_fail = True
        return rule

    def _set_state(self) -> dict[str, str]:
        random = self._random
        rule = {"event": random.choice(EVENTS), "new_state": str(random.randrange(1, 4))}
        if random.random() < 0.6:
            rule["state"] = str(random.randrange(3))
        return rule

    # --- places ---

    def _place(self) -> int:
        """An offset near something that matters."""
        random, setting = self._random, self._setting
        unit = random.choice((SECTOR, 4096, *setting.limits.values()))
        place = random.randrange(setting.size // unit + 1) * unit
        place += random.choice((0, 0, 0, 1, -1, 7, -7, 100, SECTOR, -SECTOR))
        return min(max(place, 0), setting.size)

    def _range(self, *, aligned: bool = False, inside: bool = True) -> tuple[int, int]:
        random, setting = self._random, self._setting
        start, end = sorted((self._place(), self._place()))
        if random.random() < 0.5:
            end = start + random.choice((1, 10, SECTOR, SECTOR, 1000, 4096, setting.align))
        if inside:
            end = min(end, setting.size)
        if aligned:
            start = start // setting.align * setting.align
            end = -(-end // setting.align) * setting.align
            if inside and end > setting.size:
                end = setting.size // setting.align * setting.align
        return start, max(end - start, 0)

    def _write_range(self) -> tuple[int, int]:
        must_align = self._setting.reads_may_fail and self._setting.align > 1
        return self._range(aligned=must_align, inside=self._random.random() < 0.95)

    # --- commands ---

    def _commands(self) -> list[str]:
        random = self._random
        makers = [
            (5, self._read),
            (7, self._write),
            (4, self._zeroes),
            (2, self._discard),
            (2, self._asynchronous),
            (1, self._odds),
        ]
        if self._setting.has_blkdebug and not self._setting.is_broken:
            makers += [(3, self._held), (2, self._race)]
        weights = [weight for weight, _ in makers]
        commands: list[str] = []
        while len(commands) < random.randrange(5, 14):
            (_, make) = random.choices(makers, weights)[0]
            commands += make()
        return [*commands, "length", "map"]

    def _read(self) -> list[str]:
        start, length = self._range(inside=self._random.random() < 0.95)
        if length <= 64:
            return [f"read -v {start} {length}"]
        if self._random.random() < 0.3:
            first = self._random.randrange(length)
            return [f"readv -q {start} {first} {length - first}"]
        if self._random.random() < 0.3:
            return [f"read -P {self._pattern()} {start} {length}"]
        return [f"read {start} {length}"]

    def _pattern(self) -> int:
        return self._random.randrange(256)

    def _write(self) -> list[str]:
        start, length = self._write_range()
        fua = self._random.choice(("", "", "", "-f "))
        if self._random.random() < 0.2:
            first = self._random.randrange(length + 1)
            return [f"writev {fua}-P {self._pattern()} {start} {first} {length - first}"]
        return [f"write {fua}-P {self._pattern()} {start} {length}"]

    def _zeroes(self) -> list[str]:
        start, length = self._write_range()
        flags = self._random.choice(("", "", "-u ", "-f ", "-n ", "-un "))
        return [f"write -z {flags}{start} {length}"]

    def _discard(self) -> list[str]:
        start, length = self._range(aligned=True)
        return [f"discard {start} {length}"]

    def _asynchronous(self) -> list[str]:
        start, length = self._write_range()
        return [
            self._random.choice(
                (
                    f"aio_read -q {start} {length}",
                    f"aio_write -P {self._pattern()} {start} {length}",
                    f"aio_write -f -P {self._pattern()} {start} {length}",
                    f"aio_write -z {start} {length}",
                )
            ),
            "aio_flush",
        ]

    def _odds(self) -> list[str]:
        setting = self._setting
        step = max(setting.align, 4096)
        if self._random.random() < 0.2 and not setting.is_broken:
            setting.size = self._random.randrange(1, 20) * step
            return [f"truncate {setting.size}", "length"]
        start, length = self._range()
        return [
            self._random.choice(
                ("flush", "flush", "length", "map", f"alloc {start} {length}", "resume nobody")
            )
        ]

    def _tag(self) -> str:
        self._tags += 1
        return f"tag{self._tags}"

    def _elsewhere(self, start: int, length: int) -> list[str]:
        """Commands that do not touch the blocks of a request that is held."""
        random, align = self._random, self._setting.align
        block = max(align, 4096)
        end = -(-(start + length) // block) * block
        if end + block > self._setting.size:
            return random.choice(([], ["length"], ["flush"]))
        place = random.choice((end, end + block - SECTOR))
        return random.choice(
            (
                [],
                [f"read -v {place} 16"],
                [f"write -P {self._pattern()} {end} {block}"],
                [f"write -z {end} {block}"],
                ["flush"],
                [f"alloc {end} {block}"],
            )
        )

    def _held(self) -> list[str]:
        """One request, held at an event that it is sure to reach."""
        random, setting = self._random, self._setting
        tag = self._tag()
        start, length = self._range(aligned=setting.reads_may_fail)
        if not length:
            return []
        event = "write_aio" if setting.has_raw and random.random() < 0.3 else "pwritev"
        request = f"aio_write -P {self._pattern()} {start} {length}"
        if setting.has_raw and random.random() < 0.4:
            event, request = "read_aio", f"aio_read -q {start} {length}"
        elif random.random() < 0.3:
            event = "pwritev_done"
        release = random.choice(("resume", "resume", "remove_break"))
        return [
            f"break {event} {tag}",
            request,
            f"wait_break {tag}",
            *self._elsewhere(start, length),
            f"{release} {tag}",
            "aio_flush",
        ]

    def _race(self) -> list[str]:
        """An unaligned write that is held, and a second request for its block, which waits."""
        random, setting = self._random, self._setting
        align = setting.align
        if align < 2 or setting.reads_may_fail or setting.cache == "writethrough":
            # The first write's flush would race with the second request.
            return []
        block = random.randrange(setting.size // align) * align
        start = block + random.randrange(1, align - 1)
        length = random.randrange(1, block + align - start)
        second = random.choice(
            (
                f"aio_write -P {self._pattern()} {block} {random.randrange(1, align)}",
                f"aio_write -z {block} {align}",
                f"aio_read -q {block} {align}",
                f"aio_write -P {self._pattern()} {block + align - 1} 1",
            )
        )
        event = random.choice(
            ("pwritev_rmw_head", "pwritev_rmw_after_head", "pwritev", "pwritev_done")
        )
        tag = self._tag()
        return [
            f"break {event} {tag}",
            f"aio_write -P {self._pattern()} {start} {length}",
            f"wait_break {tag}",
            second,
            *self._elsewhere(block, align),
            f"resume {tag}",
            "aio_flush",
        ]


def generate(seed: int) -> Session:
    """Make the session of a number."""
    return Generator(seed).session()
