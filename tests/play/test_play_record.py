"""The user's file: private, whole after every kind of ending, readable as a data spec."""

import json
import os
import signal
import stat
import subprocess
import sys
import time

import pytest

from digitjax.strokes import read_drawings
from play.effects import Record
from play.events import Recorded, RecordEntry
from play.ink import Stroke
from play.outside import Outside
from play.record import LOCK, Recorder, RecordError

INK = (Stroke(((1.0, 2.0), (3.5, 4.25)), (10.0, 10.25)), Stroke(((7.0, 8.0),), (11.0,)))
PROBABILITIES = (0.1,) * 10


def record(word: str = "4", said: str = "9") -> Record:
    return Record(word, INK, "cnn-0/12", said, PROBABILITIES, 0.75)


def lines(recorder: Recorder) -> list[dict]:
    return [json.loads(line) for line in recorder.path.read_text(encoding="utf-8").splitlines()]


def test_a_recorded_drawing_is_a_drawing_of_the_library(tmp_path):
    recorder = Recorder(tmp_path / "new")
    assert [recorder.append(record(word)) for word in ("4", "not-a-digit")] == [1, 2]
    four, other = read_drawings(recorder.path)
    assert (four.word, other.word, four.source) == ("4", "not-a-digit", "digitjax-play")
    assert four.strokes[0].tolist() == [[1.0, 2.0], [3.5, 4.25]]
    assert four.times is not None and [t.tolist() for t in four.times] == [[0, 250], [1000]]
    kept = lines(recorder)[0]
    assert (kept["model"], kept["said"], kept["is_digit"]) == ("cnn-0/12", "9", 0.75)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_the_file_is_for_its_owner_alone(tmp_path):
    recorder = Recorder(tmp_path)
    old = os.umask(0)
    try:
        recorder.append(record())
    finally:
        os.umask(old)
    assert stat.S_IMODE(recorder.path.stat().st_mode) == 0o600
    recorder.path.chmod(0o644)
    recorder.append(record())
    assert stat.S_IMODE(recorder.path.stat().st_mode) == 0o600
    recorder.relabel(lines(recorder)[0]["key"], "5")
    assert stat.S_IMODE(recorder.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("torn", [b'{"word": "3", "draw', b"\xff\xfe", b'{"word": "3"'])
def test_a_torn_last_line_is_cut_off_by_the_next_writer(tmp_path, torn):
    recorder = Recorder(tmp_path)
    recorder.append(record("1"))
    with open(recorder.path, "ab") as file:
        file.write(torn)
    assert [entry.word for entry in recorder.entries()] == ["1"]
    assert recorder.append(record("2")) == 2
    assert [line["word"] for line in lines(recorder)] == ["1", "2"]


def test_a_whole_last_line_without_its_end_is_kept(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.append(record("1"))
    recorder.path.write_bytes(recorder.path.read_bytes().rstrip(b"\n"))
    assert recorder.append(record("2")) == 2
    assert [line["word"] for line in lines(recorder)] == ["1", "2"]


def test_relabel_and_delete_change_one_drawing_and_leave_no_trace(tmp_path):
    recorder = Recorder(tmp_path)
    for word in "123":
        recorder.append(record(word))
    keys = [line["key"] for line in lines(recorder)]
    recorder.relabel(keys[1], "7")
    assert [line["word"] for line in lines(recorder)] == ["1", "7", "3"]
    recorder.delete(keys[1])
    assert [line["word"] for line in lines(recorder)] == ["1", "3"]
    for file in tmp_path.iterdir():
        assert keys[1].encode() not in file.read_bytes()
    with pytest.raises(RecordError, match="not in the file"):
        recorder.delete(keys[1])


def test_gallery_entries_are_fitted_and_know_what_was_wrong(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.append(record("4", said="9"))
    recorder.append(record("4", said="4"))
    recorder.append(record("not-a-digit", said="not a digit"))
    entries = recorder.entries()
    assert [entry.wrong for entry in entries] == [True, False, False]
    points = [point for stroke in entries[0].strokes for point in stroke]
    assert all(0 <= value <= 1 for point in points for value in point)


@pytest.mark.parametrize(
    ("word", "said", "wrong"),
    [("12", "not a digit", False), ("12", "1", True), ("", "3", False), ("3", "not a digit", True)],
)
def test_a_word_of_somebody_s_file_is_a_digit_where_it_is_one_alone(word, said, wrong):
    assert RecordEntry("k", 0, word, said, ()).wrong == wrong


def test_what_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="Not saved: .*make it writable or give --user-dir"):
        Recorder(tmp_path / "file" / "under").append(record())


def test_a_held_lock_is_waited_for_then_named(tmp_path, monkeypatch):
    monkeypatch.setattr("play.record.LOCK_SECONDS", 0.05)
    recorder = Recorder(tmp_path)
    with recorder._locked(), pytest.raises(RecordError, match=LOCK):
        Recorder(tmp_path).append(record())
    assert recorder.append(record()) == 1


WRITER = """
import sys
from pathlib import Path
from play.record import Recorder
from tests.play.test_play_record import record
recorder = Recorder(Path(sys.argv[1]))
print("ready", flush=True)
for number in range(int(sys.argv[2])):
    recorder.append(record(str(number % 10)))
    print(number, flush=True)
"""


def writer(folder, count: int) -> subprocess.Popen:
    command = [sys.executable, "-c", WRITER, str(folder), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": "."})


def test_two_programs_and_a_kill_lose_and_mix_nothing(tmp_path):
    whole, killed = writer(tmp_path, 60), writer(tmp_path, 100_000)
    assert killed.stdout is not None and whole.stdout is not None
    while killed.stdout.readline().strip() != "20":
        pass
    time.sleep(0.003)
    killed.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    reported = [line for line in killed.stdout.read().split() if line.isdigit()]
    killed.wait()
    assert whole.wait(60) == 0
    whole.stdout.close()
    killed.stdout.close()
    recorder = Recorder(tmp_path)
    total = recorder.append(record("0"))
    kept = lines(recorder)
    surely = 21 + len(reported)
    assert len(kept) == total and total - 61 in (surely, surely + 1)
    assert len({line["key"] for line in kept}) == total
    assert len(list(read_drawings(recorder.path))) == total


def test_relabel_and_delete_cut_a_torn_tail_off_and_every_line_stays_a_drawing(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.append(record("1"))
    recorder.append(record("2"))
    first, second = (line["key"] for line in lines(recorder))
    for change in (lambda: recorder.relabel(second, "7"), lambda: recorder.delete(first)):
        with open(recorder.path, "ab") as file:
            file.write(b'{"word": "3", "draw')
        change()
        list(read_drawings(recorder.path))
    assert [drawing.word for drawing in read_drawings(recorder.path)] == ["7"]


def test_a_torn_tail_is_cut_off_when_the_program_starts(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.append(record("1"))
    with open(recorder.path, "ab") as file:
        file.write(b'{"word": "3", "draw')
    (tmp_path / "drawings.part").write_bytes(b"a rewrite that was killed")
    outside = Outside(tmp_path)
    outside.close()
    assert [drawing.word for drawing in read_drawings(recorder.path)] == ["1"]
    assert not (tmp_path / "drawings.part").exists()


def test_a_label_after_a_failed_saving_leaves_the_drawing_before_alone(tmp_path, monkeypatch):
    outside = Outside(tmp_path)
    outside.do(record("1"))
    outside.poll(wait=True)
    other = record("2")._replace(ink=INK[:1])
    with monkeypatch.context() as patched:
        patched.setattr("play.record.LOCK_SECONDS", 0.02)
        with outside.recorder._locked():
            outside.do(other)
            (failed,) = outside.poll(wait=True)
    assert isinstance(failed, Recorded) and failed.error
    outside.do(other._replace(word="3"))
    outside.poll(wait=True)
    assert [(d.word, len(d.strokes)) for d in read_drawings(outside.recorder.path)] == [("1", 2), ("3", 1)]


def test_the_same_ink_is_one_drawing_until_it_is_deleted(tmp_path):
    outside = Outside(tmp_path)
    for word in "45":
        outside.do(record(word))
        outside.poll(wait=True)
    assert [line["word"] for line in lines(outside.recorder)] == ["5"]
    outside.recorder.delete(lines(outside.recorder)[0]["key"])
    outside.do(record("6"))
    assert outside.poll(wait=True) == [Recorded("6", 1)]
    assert [line["word"] for line in lines(outside.recorder)] == ["6"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_what_is_deleted_goes_from_the_file_behind_a_link(tmp_path):
    target = tmp_path / "elsewhere" / "mine.ndjson"
    target.parent.mkdir()
    folder = tmp_path / "user"
    folder.mkdir()
    (folder / "drawings.ndjson").symlink_to(target)
    recorder = Recorder(folder)
    recorder.append(record("1"))
    recorder.append(record("2"))
    recorder.delete(lines(recorder)[0]["key"])
    assert (folder / "drawings.ndjson").is_symlink()
    assert [drawing.word for drawing in read_drawings(target)] == ["2"]


def test_lines_without_a_key_are_relabelled_and_deleted_too(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.path.write_text('{"word": "1", "drawing": [[[0], [0]]]}\n{"drawing": [[[1], [2]]], "key": 5}\n')
    one, two = recorder.entries()
    recorder.delete(one.key)
    recorder.relabel(two.key, "7")
    (entry,) = recorder.entries()
    assert (entry.word, entry.key) == ("7", two.key)
    recorder.delete(entry.key)
    assert recorder.path.read_bytes() == b""


def test_of_equal_lines_one_is_deleted(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.path.write_text('{"word": "1", "drawing": [[[0], [0]]]}\n' * 3)
    recorder.delete(recorder.entries()[-1].key)
    recorder.relabel(recorder.entries()[0].key, "7")
    assert sorted(entry.word for entry in recorder.entries()) == ["1", "7"]


def test_an_unreadable_file_is_not_told_as_unwritable(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.path.mkdir()
    with pytest.raises(RecordError, match="cannot be read"):
        recorder.entries()


def test_what_json_cannot_say_is_no_drawing_and_what_cannot_be_written_again_can_be_deleted(tmp_path):
    drawing = '"drawing": [[[0, 9], [0, 9]]], "word": "7"'
    Recorder(tmp_path).path.write_text(f'{{{drawing}, "pen": NaN}}\n{{{drawing}, "pen": 1e999}}\n')
    recorder = Recorder(tmp_path)
    (entry,) = recorder.entries()
    with pytest.raises(RecordError, match="cannot be written again: delete it"):
        recorder.relabel(entry.key, "1")
    assert [entry.key for entry in recorder.entries()] == [entry.key]
    recorder.delete(entry.key)
    assert recorder.path.read_text() == f'{{{drawing}, "pen": NaN}}\n'
