from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from blkdebug_async.cli.bench_help import USAGE
from blkdebug_async.cli.bench_jobs import JOB_OPTIONS
from blkdebug_async.cli.bench_options import BenchOptions, parse_bench_options
from blkdebug_async.cli.failures import ErrorReport, UsageError


def parse(*words: str) -> BenchOptions:
    return parse_bench_options("bench", words)


def complaint(*words: str) -> str:
    with pytest.raises(ErrorReport) as caught:
        parse(*words)
    return str(caught.value)


def test_an_image_alone_is_read_once() -> None:
    options = parse("x.img")
    (job,) = options.jobs
    assert (job.name, job.disk, options.image, options.output_format) == (
        "job",
        "x.img",
        "x.img",
        "table",
    )


def test_options_before_the_first_name_are_of_all_jobs() -> None:
    options = parse("--bs=8k", "--name=a", "--rw=write", "--name", "b", "--bs=4k", "x.img")
    first, second = options.jobs
    assert (first.name, first.writes, dict(first.block_sizes)) == ("a", True, {8192: 1})
    assert (second.name, second.writes, dict(second.block_sizes)) == ("b", False, {4096: 1})
    assert options.shared_words == {"bs": "8k"}
    assert options.own_words == {"a": {"rw": "write"}, "b": {"bs": "4k"}}


def test_a_later_global_section_is_of_the_jobs_after_it() -> None:
    options = parse("--name=a", "--name=global", "--bs=8k", "--name=b", "x.img")
    assert [dict(job.block_sizes) for job in options.jobs] == [{4096: 1}, {8192: 1}]


def test_copies_of_a_job_are_numbered_and_ask_for_different_things() -> None:
    jobs = parse("--name=a", "--numjobs=3", "--seed=5", "--name=b", "x.img").jobs
    assert [job.name for job in jobs] == ["a.0", "a.1", "a.2", "b"]
    assert [job.seed for job in jobs] == [5, 6, 7, 0]


def test_a_job_may_have_an_image_of_its_own() -> None:
    jobs = parse("--name=a", "--filename=y.img", "--name=b", "x.img").jobs
    assert [job.disk for job in jobs] == ["y.img", "x.img"]


@pytest.mark.parametrize(
    "words",
    [
        ["--ramp_time=2", "--rate_iops", "9"],
        ["--ramp-time", "2", "--rate-iops=9"],
    ],
)
def test_underscores_of_fio_are_dashes(words: Sequence[str]) -> None:
    (job,) = parse(*words, "x_y.img").jobs
    assert (job.warmup_s, job.request_rate, job.disk) == (2, 9, "x_y.img")


@pytest.mark.parametrize("words", [["--verify"], ["--verify=1"]])
def test_a_switch_needs_no_argument_and_takes_none_from_the_next_word(words: list[str]) -> None:
    (job,) = parse(*words, "x.img").jobs
    assert (job.verify, job.disk) == (True, "x.img")


def test_a_switch_can_be_turned_off_for_one_job() -> None:
    jobs = parse("--verify", "--name=a", "--name=b", "--verify=0", "x.img").jobs
    assert [job.verify for job in jobs] == [True, False]


def test_after_two_dashes_everything_is_an_image() -> None:
    assert parse("--", "--verify").image == "--verify"


@pytest.mark.parametrize("words", [["-n"], ["--direct=1"], ["--direct"], ["-t", "none"]])
def test_the_page_cache_can_be_bypassed(words: list[str]) -> None:
    assert parse(*words, "x.img").settings.cache.direct


@pytest.mark.parametrize(
    ("words", "aio"),
    [((), "auto"), (("-i", "threads"), "threads"), (("-i", "threads", "--aio=auto"), "auto")],
)
def test_how_files_are_served_is_ours_to_choose_unless_it_is_said(
    words: Sequence[str], aio: str
) -> None:
    assert parse(*words, "x.img").settings.aio == aio


def test_the_cache_is_not_written_through_unless_asked_for() -> None:
    assert not parse("x.img").settings.cache.writethrough
    assert parse("-t", "writethrough", "x.img").settings.cache.writethrough


@pytest.mark.parametrize(
    ("text", "image", "image_opts"),
    [
        ('{"driver": "null-co"}', 'json:{"driver": "null-co"}', False),
        ("driver=null-co,size=1M", "driver=null-co,size=1M", True),
    ],
)
def test_an_image_may_be_given_as_to_qemu(text: str, image: str, image_opts: bool) -> None:
    options = parse("--blockdev", text)
    assert (options.image, options.image_opts) == (image, image_opts)
    assert options.jobs[0].disk == image


def test_what_is_shown_and_where() -> None:
    options = parse(
        *("--output-format=fio", "--output=o.json", "--picture", "p.svg", "--write-log=lg"),
        *("--log-avg-msec=250", "--eta=never", "--loop=uvloop", "x.img"),
    )
    assert (options.output_format, options.output, options.picture) == (
        "fio",
        Path("o.json"),
        Path("p.svg"),
    )
    assert (options.log_prefix, options.interval_s, options.eta, options.loop) == (
        "lg",
        0.25,
        "never",
        "uvloop",
    )


@pytest.mark.parametrize(("word", "wanted"), [("--help", "help"), ("-V", "version")])
def test_help_comes_before_all_mistakes_that_follow(word: str, wanted: str) -> None:
    assert parse(word, "--bs=4q").wants == wanted


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "job 'job' has no image: name one, or give it a --filename"),
        (["a.img", "b.img"], "one image is opened, not 'a.img' and 'b.img'"),
        (["a.img", "--blockdev", "driver=x"], "one image is opened, not 'a.img' and 'driver=x'"),
        (["--name=a", "--name=a", "x"], "--name: there are two jobs 'a'"),
        (["--output-format=xml", "x"], "--output-format takes table, json or fio, not 'xml'"),
        (["--loop=trio", "x"], "--loop takes asyncio or uvloop, not 'trio'"),
        (["--eta=soon", "x"], "--eta takes auto, always or never, not 'soon'"),
        (["--direct=2", "x"], "--direct takes 0 or 1, not '2'"),
        (["--log-avg-msec=0", "x"], "--log-avg-msec takes a number above 0, not '0'"),
        (["--compat=vax", "x"], "Unknown compat mode 'vax'"),
        (["-t", "tape", "x"], "Invalid cache option: tape"),
        (["--image-opts", "-f", "raw", "x"], "--image-opts and -f are mutually exclusive"),
    ],
)
def test_a_complaint_names_what_is_wrong(words: list[str], message: str) -> None:
    assert complaint(*words) == message


def test_a_picture_is_svg_or_png() -> None:
    assert complaint("--picture=p.jpg", "x").endswith("in .svg or .png, not 'p.jpg'")


@pytest.mark.parametrize("words", [["--foo", "x"], ["-Z", "x"], ["--bs"]])
def test_an_unknown_or_incomplete_option_is_refused(words: list[str]) -> None:
    with pytest.raises(UsageError, match=r"^bench: "):
        parse(*words)


def test_the_help_fits_a_terminal_and_has_every_job_option_but_aliases() -> None:
    text = USAGE.format(program="blkdebug-async bench")
    assert max(len(line) for line in text.splitlines()) <= 80
    own_names = {option.name for option in JOB_OPTIONS if option.name == option.key}
    # What makes no difference here, and what another option says as well.
    left_out = {"norandommap", "time-based", "randseed", "rwmixwrite"}
    assert {name for name in own_names - left_out if f"--{name} " not in f"{text} "} == set()
