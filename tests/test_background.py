"""Work off the loop."""

from __future__ import annotations

import asyncio
import errno
import threading
from pathlib import Path

import pytest

from rtu.background import BackgroundThread, awaited
from rtu.disk import replace_file


def test_results_come_back_on_the_loop_in_order() -> None:
    async def main() -> list[object]:
        loop = asyncio.get_running_loop()
        background = BackgroundThread(loop.call_soon_threadsafe, "test")
        told: list[object] = []
        finished = loop.create_future()
        here = threading.get_ident()
        for number in range(10):
            background.submit(
                lambda number=number: (number, threading.get_ident() != here),
                lambda result: told.append((result, threading.get_ident() == here)),
                told.append,
            )
        background.submit(lambda: None, finished.set_result, told.append)
        await finished
        background.close()
        return told

    assert asyncio.run(main()) == [((number, True), True) for number in range(10)]


def test_what_was_raised_is_told() -> None:
    async def main() -> Exception:
        loop = asyncio.get_running_loop()
        background = BackgroundThread(loop.call_soon_threadsafe, "test")
        failed: asyncio.Future[Exception] = loop.create_future()
        background.submit(lambda: 1 // 0, lambda _: None, failed.set_result)
        error = await failed
        background.close()
        return error

    assert isinstance(asyncio.run(main()), ZeroDivisionError)


def test_closing_finishes_what_was_begun_and_takes_nothing_more() -> None:
    done: list[str] = []
    told: list[object] = []
    background = BackgroundThread(lambda news: news(), "test")
    background.submit(lambda: done.append("first"), told.append, told.append)
    background.close()
    background.submit(lambda: done.append("second"), told.append, told.append)
    assert done == ["first"]


def test_a_loop_that_is_gone_is_nobodys_trouble() -> None:
    def gone(_: object) -> None:
        raise RuntimeError("Event loop is closed")

    done: list[str] = []
    background = BackgroundThread(gone, "test")
    background.submit(lambda: done.append("first"), lambda _: None, lambda _: None)
    background.close()
    assert done == ["first"]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"one")
    replace_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / "file.new").mkdir()
    with pytest.raises(OSError, match=r"file\.new"):
        replace_file(path, b"three")
    assert path.read_bytes() == b"two"


def test_a_file_that_could_not_be_replaced_leaves_nothing_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit must not take the room of what does."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "file"
    replace_file(path, b"one")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, b"two")
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"one"


def test_work_can_be_awaited_and_whoever_gives_up_waiting_spoils_nothing() -> None:
    async def main() -> None:
        background = BackgroundThread(asyncio.get_running_loop().call_soon_threadsafe, "test")
        assert await awaited(background, lambda: 6 * 7) == 42
        with pytest.raises(ZeroDivisionError):
            await awaited(background, lambda: 1 / 0)
        held = threading.Event()
        given_up = awaited(background, held.wait)
        given_up.cancel()
        held.set()
        assert await awaited(background, lambda: "the next") == "the next"
        background.close()

    asyncio.run(main())
