from __future__ import annotations

import pytest

from tests.plugin.conftest import Run

#: Makes several runs of each test, and more of those that have no race.
MANY = ("--explore-strategy=random", "--explore-runs=5")


def test_async_fixtures_are_made_and_torn_down_in_each_run(run: Run) -> None:
    result = run(
        """
        loops, torn_down = set(), []

        @pytest.fixture
        async def number() -> AsyncIterator[int]:
            await asyncio.sleep(1)
            loops.add(id(asyncio.get_running_loop()))
            yield 5
            await asyncio.sleep(1)
            torn_down.append(asyncio.get_running_loop())

        @pytest.fixture
        async def double(number: int) -> int:
            return 2 * number

        @pytest.mark.explore(runs=5, strategy="random")
        async def test_number(double):
            assert double == 10
            assert id(asyncio.get_running_loop()) in loops

        def test_teardowns():
            # Two runs more, to see whether they are the same.
            assert len(torn_down) == 7
            assert all(loop.is_closed() for loop in torn_down)
        """
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("scope", ["class", "module", "session"])
def test_async_fixtures_of_any_scope_live_on_the_loop_of_the_run(run: Run, scope: str) -> None:
    result = run(
        f"""
        @pytest.fixture(scope="{scope}")
        async def home() -> AsyncIterator[asyncio.AbstractEventLoop]:
            yield asyncio.get_running_loop()

        @pytest.fixture(scope="{scope}")
        def wrapped(home):
            return [home]

        async def test_home(wrapped):
            assert wrapped == [asyncio.get_running_loop()]
        """,
        "--explore",
        *MANY,
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["1 test explored in 5 runs*"])


def test_plain_fixtures_of_function_scope_are_made_anew_and_others_once(run: Run) -> None:
    result = run(
        """
        made = []

        @pytest.fixture
        def own() -> Iterator[list[int]]:
            made.append("own")
            yield []
            made.append("gone")

        @pytest.fixture(scope="module")
        def shared() -> None:
            made.append("shared")

        @pytest.fixture(autouse=True)
        def always() -> None:
            made.append("always")

        @pytest.mark.explore(runs=2, strategy="random")
        async def test_lists(own, shared):
            own.append(1)
            assert own == [1]

        def test_what_was_made():
            assert made == ["shared", *["always", "own", "gone"] * 4, "always"]
        """
    )
    result.assert_outcomes(passed=2)


def test_each_run_finds_an_empty_folder_of_the_same_name(run: Run) -> None:
    result = run(
        """
        seen = set()

        @pytest.fixture
        def file(tmp_path: Path) -> Path:
            (tmp_path / "folder").mkdir()
            (tmp_path / "link").symlink_to(tmp_path / "folder")
            return tmp_path / "folder" / "file"

        async def test_file(tmp_path, file):
            seen.add(tmp_path)
            assert not file.exists()
            file.write_text("x")

        def test_folders():
            (folder,) = seen
            assert (folder / "folder" / "file").exists()
        """,
        "--explore",
        *MANY,
    )
    result.assert_outcomes(passed=2)


def test_a_folder_of_ones_own_is_left_alone(run: Run) -> None:
    result = run(
        """
        @pytest.fixture
        def tmp_path(tmp_path: Path) -> Path:
            (tmp_path / "precious").touch()
            return tmp_path

        async def test_file(tmp_path):
            assert (tmp_path / "precious").exists()
        """,
        "--explore",
        *MANY,
    )
    result.assert_outcomes(passed=1)


def test_what_is_captured_is_that_of_the_run(run: Run) -> None:
    result = run(
        """
        import logging
        import os

        async def test_output(capsys, caplog, recwarn):
            print("said")
            logging.getLogger("x").error("logged")
            assert capsys.readouterr().out == "said\\n"
            assert len(caplog.records) == 1

        async def test_bytes(capfd):
            os.write(1, b"said")
            assert capfd.readouterr().out == "said"
        """,
        "--explore",
        *MANY,
    )
    result.assert_outcomes(passed=2)


def test_patches_are_undone_after_each_run_also_where_it_hangs(run: Run) -> None:
    result = run(
        """
        class Thing:
            value = 1

        @pytest.mark.explore
        async def test_patch(monkeypatch):
            assert Thing.value == 1
            monkeypatch.setattr(Thing, "value", 2)
            await asyncio.Event().wait()

        def test_value():
            assert Thing.value == 1
        """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*DeadlockError*"])


def test_fixtures_end_where_a_run_hangs(run: Run) -> None:
    result = run(
        """
        ended = []

        @pytest.fixture
        async def waiting() -> AsyncIterator[None]:
            try:
                yield
            finally:
                ended.append("begun")
                await asyncio.sleep(0)
                ended.append("done")

        @pytest.mark.explore
        async def test_hangs(waiting):
            await asyncio.Event().wait()

        def test_ends():
            assert "begun" in ended
        """
    )
    result.assert_outcomes(passed=1, failed=1)


def test_each_run_has_an_instance_of_its_own(run: Run) -> None:
    result = run(
        """
        @pytest.mark.explore(runs=3, strategy="random")
        class TestThings:
            def setup_method(self):
                self.things = ["set up"]

            @pytest.fixture
            async def more(self):
                self.things.append("more")
                return self

            @pytest.fixture
            def most(self, more):
                self.things.append("most")

            async def test_method(self, most, more):
                assert more is self
                assert self.things == ["set up", "more", "most"]
                self.things.append("used")

            @staticmethod
            async def test_static(more):
                assert isinstance(more, TestThings)

            @classmethod
            async def test_class(cls):
                assert cls is TestThings
        """
    )
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["3 tests explored in 9 runs*"])


def test_parameters_are_given_to_each_run_as_they_are(run: Run) -> None:
    result = run(
        """
        @pytest.fixture(params=[1, 2], ids=["one", "two"])
        async def number(request) -> int:
            return request.param

        @pytest.mark.parametrize("things", [[1], {"a": [1]}, (1, [1]), bytearray(b"1"), {1}])
        async def test_things(number, things):
            assert number in (1, 2)
            match things:
                case list():
                    assert things == [1]
                    things.append(2)
                case dict():
                    assert things == {"a": [1]}
                    things["a"].append(2)
                case tuple():
                    assert things == (1, [1])
                    things[1].append(2)
                case bytearray():
                    assert things == b"1"
                    things += b"2"
                case set():
                    assert things == {1}
                    things.add(2)
        """,
        "--explore",
        *MANY,
    )
    result.assert_outcomes(passed=10)
    result.stdout.fnmatch_lines(["10 tests explored in 50 runs*"])


def test_a_fixture_may_use_the_one_that_it_overrides(run: Run) -> None:
    result = run(
        """
        @pytest.fixture
        async def number() -> int:
            return 1

        class TestNumbers:
            @pytest.fixture
            async def number(self, number: int) -> int:
                return number + 1

            async def test_number(self, number):
                assert number == 2
        """,
        "--explore",
        *MANY,
    )
    result.assert_outcomes(passed=1)


def test_a_request_answers_within_a_run(run: Run) -> None:
    result = run(
        """
        ended = []

        @pytest.fixture
        async def number() -> int:
            return 1

        @pytest.fixture
        async def slow() -> int:
            await asyncio.sleep(1)
            return 1

        @pytest.fixture
        def asking(request, number) -> int:
            assert request.fixturename == "asking"
            assert request.scope == "function"
            assert request.node.name == "test_request"
            assert not hasattr(request, "param")
            request.addfinalizer(lambda: ended.append("asking"))
            return request.getfixturevalue("number") + 1

        async def test_request(request, asking, tmp_path):
            assert request.getfixturevalue("asking") == 2
            assert request.getfixturevalue("tmp_path") == tmp_path
            assert request.fixturename is None
            assert request.config is not None
            assert len(request.getfixturevalue("monkeypatch").__class__.__name__) > 0
            with pytest.raises(RuntimeError, match="take the async fixture as an argument"):
                request.getfixturevalue("slow")

        def test_ends():
            assert len(ended) == 7
        """,
        "--explore",
        *MANY,
    )
    result.assert_outcomes(passed=2)


def test_a_failing_fixture_fails_its_run(run: Run) -> None:
    result = run(
        """
        @pytest.fixture
        async def racing():
            assert await in_order(*"ab") == ["a", "b"], "set up"

        @pytest.fixture
        async def ending():
            yield
            assert await in_order(*"ab") == ["a", "b"], "torn down"

        @pytest.fixture
        def twice():
            yield 1
            yield 2

        @pytest.fixture
        async def twice_async():
            yield 1
            yield 2

        @pytest.mark.explore
        async def test_set_up(racing):
            pass

        @pytest.mark.explore
        async def test_tear_down(ending):
            pass

        @pytest.mark.explore
        async def test_one_yield(twice):
            pass

        @pytest.mark.explore
        async def test_all(twice, twice_async):
            assert False, "itself"
        """
    )
    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines_random(
        [
            "E*AssertionError: set up",
            "E*AssertionError: torn down",
            "E*ValueError: fixture 'twice' has more than one yield",
            "E*AssertionError: itself",
            "E*Then a fixture failed to be torn down: ExceptionGroup(*",
        ]
    )
