"""What the load harness writes in fio's layouts, next to fio and in fio's own tools."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

from blkdebug_async.cli.shell import main

Require = Callable[[str], Path]
pytestmark = [pytest.mark.peer, pytest.mark.slow]

NULL = 'json:{"driver": "null-co", "size": "16M"}'
JOBS = (
    *("--name=mixed", "--rw=randrw", "--iodepth=4", "--fsync=10", "--number_ios=2000"),
    *("--name=reads", "--rw=read", "--number_ios=500"),
)
#: Has what fio's programs import (python3-six); others need not.
PYTHON = "/usr/bin/python3"
FIOLOGPARSER = Path("/usr/share/doc/fio/fiologparser.py.gz")


def run(folder: Path, *command: str | Path) -> str:
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ours(folder: Path, *words: str) -> Path:
    path = folder / "ours.json"
    common = ("bench", "--output-format=fio", f"--output={path}")
    assert main(["blkdebug-async", *common, *words, NULL]) == 0
    return path


def keys(value: object, path: str = "") -> Iterator[str]:
    """Where something stands in a document; what is different in each run is left out."""
    match value:
        case {**members}:
            for name, member in members.items():
                if not path.endswith(("/bins", " options")):
                    yield f"{path}/{name}"
                    yield from keys(member, f"{path}/{name}")
        case [*elements]:
            for number, element in enumerate(elements):
                yield from keys(element, f"{path}/{number}")


def kinds(value: object, path: str = "") -> Mapping[str, str]:
    """Whether a number, a text or something else stands there."""
    found: dict[str, str] = {}
    match value:
        case {**members}:
            for name, member in members.items():
                found |= kinds(member, f"{path}/{name}")
        case [*elements]:
            for number, element in enumerate(elements):
                found |= kinds(element, f"{path}/{number}")
        case int() | float():
            found[path] = "number"
        case _:
            found[path] = type(value).__name__
    return found


@pytest.fixture
def fio_document(tmp_path: Path, require_peer: Require) -> object:
    path = tmp_path / "fio.json"
    engine = ("--ioengine=null", "--size=16M", "--slat_percentiles=1", "--clat_percentiles=1")
    shown = ("--lat_percentiles=1", "--output-format=json+", f"--output={path}")
    run(tmp_path, require_peer("fio"), *engine, *shown, *JOBS)
    return json.loads(path.read_text())


def test_every_key_of_fio_is_there_and_ours_are_few(tmp_path: Path, fio_document: object) -> None:
    expected = set(keys(fio_document))
    found = set(keys(json.loads(ours(tmp_path, *JOBS).read_text())))
    # fio does not measure the submission of synchronous requests; we have no such thing.
    ours_alone = {each for each in found - expected if "/slat_ns/" not in each}
    assert expected - found == set()
    assert ours_alone == {"/written by"}


def test_every_value_is_of_fios_kind(tmp_path: Path, fio_document: object) -> None:
    expected = kinds(fio_document)
    found = kinds(json.loads(ours(tmp_path, *JOBS).read_text()))
    shared = [path for path in expected if path in found and " options/" not in path]
    assert shared
    assert [path for path in shared if expected[path] != found[path]] == []


def test_errors_have_the_keys_that_fio_has_where_it_goes_on(
    tmp_path: Path, require_peer: Require
) -> None:
    path = tmp_path / "fio.json"
    words = ("--continue_on_error=all", *JOBS)
    engine = ("--ioengine=null", "--size=16M", "--output-format=json", f"--output={path}")
    run(tmp_path, require_peer("fio"), *engine, *words)
    found = json.loads(ours(tmp_path, *words).read_text())
    expected = json.loads(path.read_text())
    assert set(found["jobs"][0]) == set(expected["jobs"][0])


def test_fios_converter_takes_our_bins(tmp_path: Path, require_peer: Require) -> None:
    path = ours(tmp_path, *JOBS)
    python, converter = require_peer(PYTHON), require_peer("fio_jsonplus_clat2csv")
    table = tmp_path / "ours.csv"
    run(tmp_path, python, converter, path, table)
    checked = run(tmp_path, python, converter, path, table, "--validate")
    assert checked.count(" validated\n") == 2
    document = json.loads(path.read_text())
    for number, job in enumerate(document["jobs"]):
        with (tmp_path / f"ours_job{number}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file, skipinitialspace=True))
        counts = [int(row["read_lat_ns_count"]) for row in rows if row["read_lat_ns_count"].strip()]
        assert sum(counts) == job["read"]["total_ios"]


def test_fios_log_parser_reads_our_bandwidths(tmp_path: Path, require_peer: Require) -> None:
    require_peer("fio")
    if not FIOLOGPARSER.exists():
        pytest.skip("fiologparser is not among the documents of fio")
    parser = tmp_path / "fiologparser.py"
    parser.write_bytes(gzip.decompress(FIOLOGPARSER.read_bytes()))
    words = ("--rw=read", "--rate_iops=200", "--runtime=600ms", "--log_avg_msec=100")
    ours(tmp_path, f"--write-log={tmp_path}/lg", *words)
    lines = run(tmp_path, sys.executable, parser, "-i", "100", "-s", "lg_iops.1.log").splitlines()
    rates = [float(line.split(",")[1]) for line in lines]
    assert len(rates) >= 3
    assert sum(rates) / len(rates) == pytest.approx(200, rel=0.5)


def test_fios_plotter_reads_our_logs(tmp_path: Path, require_peer: Require) -> None:
    python, plotter = require_peer(PYTHON), require_peer("fio2gnuplot")
    words = ("--rw=randrw", "--rate_iops=500", "--runtime=600ms", "--log_avg_msec=100")
    ours(tmp_path, f"--write-log={tmp_path}/lg", *words)
    run(tmp_path, python, plotter, "-b", "-k")
    found = (tmp_path / "result.global").read_text()
    assert "disks_count=1\n" in found
    values = next(line for line in found.splitlines() if line.startswith("values_count="))
    assert int(values.partition("=")[2]) == len((tmp_path / "lg_bw.1.log").read_text().splitlines())


def test_fio_draws_all_its_plots_of_our_logs(tmp_path: Path, require_peer: Require) -> None:
    plotter, _ = require_peer("fio_generate_plots"), require_peer("gnuplot")
    words = ("--rw=read", "--rate_iops=500", "--runtime=600ms", "--log_avg_msec=100")
    ours(tmp_path, f"--write-log={tmp_path}/lg", *words)
    run(tmp_path, plotter, "T")
    curves = {
        path.name: ElementTree.parse(path).findall(".//*[@id='gnuplot_plot_1']")
        for path in tmp_path.glob("*.svg")
    }
    figures = ("lat", "iops", "slat", "clat", "bw")
    assert sorted(curves) == sorted(f"T-{figure}.svg" for figure in figures)
    assert all("lg.1" in "".join(each[0].itertext()) for each in curves.values())
