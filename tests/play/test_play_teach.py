"""Teach: a lesson is what a person has labelled; it is kept, or rolled back with one key."""

import errno
import multiprocessing
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from digitjax import runs, strokes
from digitjax.checkpoint import LoadedModel, load_model, write_params
from digitjax.config import TrainConfig
from digitjax.data.labels import OTHER
from digitjax.errors import InputError
from digitjax.runs import SHIPPED
from play import checkpoints, effects, runner, teacher, wire
from play.answers import ModelFailed, ModelReady, ReaderEnded
from play.effects import BinRun, LoadModel, Record, Teach, WarmTeacher
from play.events import KeyPress, LessonTaught, Press, Recorded, TeacherAt, TeacherReady
from play.layout import arrange
from play.record import Recorder, columns
from play.state import PlayState
from play.update import update
from play.verdict import OTHER_WORD
from play.view import teach
from tests import doodles
from tests.play.drawings import DIGITS, strokes_events
from tests.play.looking import texts_on
from tests.play.made_up import CNN
from tests.play.scenes import drawn, scene

TAUGHT = LessonTaught("/runs/cnn-7-taught", "cnn-7-taught", (("taught", 1, 10, 10),), 4.0)


def events_of(state, *events):
    for event in events:
        state = update(state, event)
    return state


def words_recorded(state) -> list[str]:
    return [effect.word for effect in state.effects if isinstance(effect, Record)]


def test_a_lesson_is_what_a_person_has_labelled_and_it_is_recorded_too():
    state = drawn(scene("teach-begin"))._replace(effects=())
    said = events_of(state, KeyPress("7"))
    (record,) = said.effects
    assert isinstance(record, Record) and said.lesson.items == (("7", state.strokes),)
    again = events_of(said, Press("label:2"))
    assert [word for word, _ in again.lesson.items] == ["2"], "the same ink, labelled anew"
    other = events_of(again, *strokes_events(DIGITS["7"]), KeyPress("7"))
    assert [word for word, _ in other.lesson.items] == ["2", "7"]
    none = events_of(other, KeyPress("n"))
    assert [word for word, _ in none.lesson.items] == ["2", OTHER], (
        "corrected to no digit, it is taught as none"
    )
    assert none.lesson.items[1][1] == other.strokes and words_recorded(none)[-1] == OTHER
    assert "Saved as not a digit" in events_of(none, Recorded(OTHER, 3)).notice
    assert "Saved as 7" in events_of(other, Recorded("7", 3)).notice
    assert events_of(other, Press("teach:forget")).lesson.items == again.lesson.items
    elsewhere = events_of(drawn(scene("draw")), KeyPress("7"))
    assert elsewhere.lesson.items == ()
    assert events_of(state, Press("teach:go"), KeyPress("k"), KeyPress("r")).effects == ()


def test_a_lesson_holds_digits_and_what_is_none():
    state = events_of(scene("teach-lesson"), Press(f"label:{OTHER}"))
    items = state.lesson.items
    assert {word for word, _ in items} == {"2", "7", OTHER}
    assert events_of(state, Press("teach:go")).effects[-1] == Teach(CNN.path, items, CNN.step)
    texts = texts_on(state)
    assert f"Teach {len(items)}" in texts and {"Not a digit", "no digit"} <= {*texts}


def test_a_network_that_never_says_not_a_digit_is_taught_digits_alone_and_the_window_says_why():
    alone = ModelReady(CNN._replace(path="/runs/cnn-8", name="cnn-8", rejects=False))
    why = "this network never says “not a digit”"
    begin = events_of(scene("teach-begin"), alone, TeacherReady("/runs/cnn-8"))
    four = events_of(begin, KeyPress("4"))
    none = events_of(four, KeyPress("n"))
    assert four.lesson.items and none.lesson.items == (), "nor is it taught what it was said to be before"
    assert words_recorded(none) == ["4", OTHER]
    assert why in events_of(none, Recorded(OTHER, 3)).notice
    assert "Saved as 4" in events_of(four, Recorded("4", 3)).notice

    both = events_of(scene("teach-lesson"), Press(f"label:{OTHER}"), alone, TeacherReady("/runs/cnn-8"))
    digits = tuple(item for item in both.lesson.items if item[0] != OTHER)
    assert shown(both)[0] == f"{len(digits)} in the lesson; 1 not taught: {why}."
    going = events_of(both, Press("teach:go"))
    assert going.effects[-1] == Teach("/runs/cnn-8", digits, CNN.step)
    rest = events_of(going, LessonTaught("/runs/t", "t", (), 1.0), KeyPress("k")).lesson.items
    assert [word for word, _ in rest] == [OTHER], "it waits for a network that can learn it"
    only = both._replace(lesson=both.lesson._replace(items=both.lesson.items[-1:]), effects=())
    (go,) = [one for one in teach.controls(only, arrange(only)) if one.action == "teach:go"]
    assert not go.enabled and why in go.why.lower() and events_of(only, Press("teach:go")).effects == ()


def test_what_a_lesson_has_cost_is_named_as_what_it_is():
    texts = texts_on(scene("teach"))
    assert {"this lesson", "MNIST, held out", "digits not refused", "non-digits refused"} <= {*texts}
    assert texts.index("99.62 %") == texts.index("digits not refused") + 1


def test_the_word_for_no_digit_is_the_same_in_the_window_and_in_the_lesson():
    assert OTHER_WORD == OTHER


def test_the_lesson_waits_for_its_teacher_then_the_taught_network_answers():
    state = events_of(scene("teach-begin"), KeyPress("4"))._replace(effects=())
    assert events_of(state, Press("teach:go")).effects == ()
    ready = events_of(state, TeacherReady("/other"), TeacherReady(CNN.path))
    going = events_of(ready, Press("teach:go"))
    assert going.effects == (Teach(CNN.path, state.lesson.items, CNN.step),)
    assert going.lesson.status == "teaching"
    assert events_of(going, Press("teach:go")) == going
    done = events_of(going, TAUGHT)
    assert done.effects[-1] == LoadModel(TAUGHT.path, 0) and done.lesson.taught == TAUGHT
    assert events_of(ready, TAUGHT).lesson.taught is None


def test_a_lesson_that_ends_as_the_screen_is_left_is_taken_in():
    going = events_of(scene("teach-lesson"), Press("teach:go"), Press("screen:draw"))._replace(effects=())
    late = events_of(going, TAUGHT)
    assert late.lesson.taught == TAUGHT and late.effects == (LoadModel(TAUGHT.path, 0),)
    assert TAUGHT.name in late.notice
    back = events_of(late, Press("screen:teach"), KeyPress("r"), ModelReady(CNN))
    assert BinRun(TAUGHT.path, quiet=True) in back.effects and LoadModel(CNN.path, 0) in back.effects
    again = events_of(going, Press("screen:teach"))
    assert events_of(again, TAUGHT).lesson.taught == TAUGHT
    other = events_of(again, ModelReady(CNN._replace(path="/runs/cnn-8")), TAUGHT)
    assert other.lesson.taught is None, "of another network"


def test_what_a_teacher_says_as_it_is_ended_is_heard_and_half_a_run_is_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(tmp_path / "runs"))
    monkeypatch.setattr(teacher, "main", _half_taught)
    one = runner.Runner(tmp_path / "user")
    one.do(effects.WarmTeacher(str(tmp_path / "runs")))
    end = time.monotonic() + 60
    while not list((tmp_path / "runs").glob("*")) and time.monotonic() < end:
        time.sleep(0.02)
    one.do(effects.WarmTeacher(""))
    one.close()
    assert [event.name for event in one.poll() if isinstance(event, LessonTaught)] == ["cnn-7-taught"]
    assert list((tmp_path / "runs").iterdir()) == []


def _half_taught(requests, answers, checkpoint, step, mine):
    """A teacher that has told of one lesson and is in the middle of writing another."""
    told = {"kind": "taught", "path": TAUGHT.path, "name": TAUGHT.name, "rows": [], "seconds": 1.0}
    answers.send_bytes(wire.pack(told))
    (Path(checkpoint) / teacher.PART.format(name="cnn-7-taught-2", process=os.getpid())).mkdir(parents=True)
    time.sleep(60)


def test_one_key_keeps_and_one_rolls_back():
    state = scene("teach")._replace(effects=())
    kept = events_of(state, KeyPress("k"))
    assert kept.effects == (WarmTeacher("/runs/cnn-7-taught"),) and kept.lesson.items == ()
    back = events_of(state, KeyPress("r"))
    assert back.effects == (LoadModel(CNN.path, 0),)
    assert events_of(back, KeyPress("r"), KeyPress("k")) == back
    done = events_of(back._replace(effects=()), ModelReady(CNN))
    assert BinRun("/runs/cnn-7-taught", quiet=True) in done.effects and "Rolled back" in done.notice
    assert done.lesson.items == state.lesson.items and done.lesson.status == "ready"
    assert events_of(done, KeyPress("r")).effects == done.effects
    away = events_of(state, Press("screen:draw"))
    assert events_of(away, KeyPress("r")).effects == away.effects
    assert events_of(away, Press("screen:teach")).lesson.taught == state.lesson.taught


def test_where_the_old_network_is_gone_nothing_is_binned_and_what_was_taught_can_be_kept():
    answering = ModelReady(CNN._replace(path=TAUGHT.path, name=TAUGHT.name))
    asked = events_of(scene("teach"), answering, KeyPress("r"))._replace(effects=())
    gone = events_of(asked, ModelFailed("cnn-7 is not there any more: choose another.", path=CNN.path))
    assert not any(isinstance(effect, BinRun) for effect in gone.effects)
    assert gone.notice.startswith("Not rolled back, cnn-7-taught stays: cnn-7 is not there any more")
    assert gone.lesson.taught is not None and gone.models[0] == answering.info
    kept = events_of(gone, KeyPress("k"))
    assert kept.lesson.path == TAUGHT.path and "Kept" in kept.notice


def test_where_nobody_reads_any_more_nothing_is_binned_either():
    ended = events_of(scene("teach"), KeyPress("r"), ReaderEnded("It has ended."))
    assert ended.problem == "It has ended." and not ended.lesson.returning and ended.lesson.taught
    again = events_of(ended, KeyPress("r"), ModelFailed("It has ended.", path=CNN.path))
    assert not again.lesson.returning and again.lesson.taught and "stays" in again.notice
    assert not any(isinstance(effect, BinRun) for effect in again.effects)


def test_rolled_back_as_the_screen_is_left_the_teacher_goes_all_the_same():
    away = events_of(scene("teach"), KeyPress("r"), Press("screen:draw"))._replace(effects=())
    done = events_of(away, ModelReady(CNN))
    assert done.lesson.taught is None and done.lesson.status == "" and not done.lesson.returning
    assert done.effects == (WarmTeacher(""), BinRun(TAUGHT.path, quiet=True))
    assert events_of(done, Press("screen:teach")).effects[-1] == WarmTeacher(CNN.path, CNN.step)


def test_a_lesson_begins_from_the_step_that_answers():
    newer = ModelReady(CNN._replace(step=12_000))
    state = scene("teach-lesson")._replace(effects=())
    later = events_of(state, newer)
    assert later.effects == (WarmTeacher(CNN.path, 12_000),) and later.lesson == state.lesson
    going = events_of(later, Press("teach:go"))
    assert going.effects[-1] == Teach(CNN.path, state.lesson.items, 12_000)
    assert events_of(going, ModelReady(CNN._replace(step=13_000))).effects == going.effects, "it learns"
    for before in (scene("teach"), scene("draw")):
        assert events_of(before, newer).effects == before.effects


def test_a_teacher_follows_the_newest_step_and_the_lesson_s_own(monkeypatch):
    seen = []

    class Lessons:
        def __init__(self, checkpoint, step, mine, say):
            seen.append((checkpoint, step))

        def follow(self, step):
            seen.append(step)

        def give(self, drawings):
            raise EOFError

    for name in ("dup2", "nice", "_exit"):
        monkeypatch.setattr(teacher.os, name, lambda *_: 0)
    monkeypatch.setattr(teacher.signal, "signal", lambda *_: None)
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setattr(teacher, "_Lessons", Lessons)
    (requests, send), (_, answers) = multiprocessing.Pipe(False), multiprocessing.Pipe(False)
    for header in (
        {"kind": "step", "step": 4},
        {"kind": "step", "step": 8},
        {"kind": "lesson", "step": 16, "drawings": []},
    ):
        send.send_bytes(wire.pack(header))
    teacher.main(requests, answers, "/runs/cnn-7", 2, "/user/drawings.ndjson")
    assert seen == [("/runs/cnn-7", 2), 16]


def test_a_newer_step_is_new_params_for_the_same_teacher(monkeypatch):
    asked, begun = [], []
    lessons: Any = object.__new__(teacher._Lessons)
    lessons._teacher = SimpleNamespace(begin_from=begun.append)

    def load(path):
        asked.append(path)
        return lessons._loaded._replace(step=int(path.rpartition("/")[2]), params=path)

    monkeypatch.setattr("digitjax.checkpoint.load_model", load)
    config = TrainConfig()
    lessons._loaded = LoadedModel(None, "old", config, Path("/runs/cnn-7"), 936, {})  # type: ignore[arg-type]
    for step in (None, 936, 2808, 2808):
        lessons.follow(step)
    assert asked == begun == ["/runs/cnn-7/2808"] and lessons._loaded.step == 2808
    other = replace(config, model=replace(config.model, hidden=(5,)))
    monkeypatch.setattr("digitjax.checkpoint.load_model", lambda _: lessons._loaded._replace(config=other))
    with pytest.raises(InputError, match="another network than before"):
        lessons.follow(3000)


def test_a_run_that_is_taught_already_takes_the_newer_step_in_the_same_process(tmp_path, monkeypatch):
    monkeypatch.setattr(teacher, "main", _echoes)
    one = runner.Runner(tmp_path)
    for step in (936, 2808):
        one.do(effects.WarmTeacher("/runs/cnn-7", step))
    one.do(effects.Teach("/runs/cnn-7", (), 2809))
    said, end = [], time.monotonic() + 60
    while len(said) < 3 and time.monotonic() < end:
        said += [event.doing for event in one.poll() if isinstance(event, TeacherAt)]
        time.sleep(0.02)
    one.close()
    assert said == ["begins at 936", "step 2808", "lesson 2809"]


def _echoes(requests, answers, checkpoint, step, mine):
    """A teacher that says what it is told."""

    def say(text):
        answers.send_bytes(wire.pack({"kind": "at", "path": checkpoint, "doing": text}))

    say(f"begins at {step}")
    for _ in range(2):
        header, _ = wire.unpack(requests.recv_bytes())
        say(f"{header['kind']} {header['step']}")
    time.sleep(60)


def test_a_teacher_that_ends_is_said_and_started_again():
    state = scene("teach-lesson")._replace(effects=())
    dead = events_of(state, Press("teach:go"), TeacherReady(CNN.path, "The process that teaches has ended."))
    assert dead.lesson.status == "failed" and "has ended" in dead.notice and dead.lesson.items
    again = events_of(dead, Press("teach:again"))
    assert again.effects[-1] == WarmTeacher(CNN.path, CNN.step) and again.lesson.items == state.lesson.items
    assert events_of(state, ModelReady(CNN)).lesson == state.lesson
    early = events_of(PlayState(), Press("screen:teach"), ModelReady(CNN))
    assert early.lesson.status == "warming" and early.effects[-1] == WarmTeacher(CNN.path, CNN.step)


def shown(state) -> tuple[str, ...]:
    """What the lesson's card says, longest first."""
    _, _, card = teach.blocks(state, arrange(state))
    return card.key[-1]  # pyright: ignore


def test_what_the_teacher_does_is_said_until_it_is_done():
    state = scene("teach-begin")
    assert "Warming up …" in shown(state)
    going = events_of(state, TeacherAt(CNN.path, "Warming up: compiling …"), TeacherAt("/other", "no"))
    assert shown(going)[0] == "Warming up: compiling …"
    ready = events_of(going, TeacherReady(CNN.path), KeyPress("4"), Press("teach:go"))
    assert shown(ready)[0] == "It is learning …"
    learning = events_of(ready, TeacherAt(CNN.path, "It is learning: 40 % …"))
    assert shown(learning)[0] == "It is learning: 40 % …"
    assert events_of(learning, TAUGHT).lesson.doing == ""
    assert events_of(learning, Press("screen:draw")).lesson.doing == ""


def test_a_network_that_is_gone_is_named_with_the_remedy(tmp_path):
    gone = tmp_path / "cnn-9"
    with pytest.raises(InputError, match="cnn-9 is gone: choose another network in Models") as caught:
        teacher._Lessons(str(gone), None, tmp_path / "drawings.ndjson", lambda doing: None)
    state = events_of(scene("teach-begin"), TeacherReady(CNN.path, str(caught.value)))
    assert shown(state)[0] == str(caught.value) == state.notice
    again = events_of(state, Press("teach:again"))
    assert "Warming up …" in shown(again) and again.lesson.doing == ""


def test_rolled_back_on_a_second_visit_there_is_a_teacher_again():
    visit = events_of(scene("teach"), Press("screen:draw"), Press("screen:teach"))._replace(effects=())
    back = events_of(visit, KeyPress("r"), ModelReady(CNN))
    assert back.lesson.status == "warming" and WarmTeacher(CNN.path, CNN.step) in back.effects
    assert events_of(back, Press("teach:go")).lesson.status == "warming"
    going = events_of(back, TeacherReady(CNN.path), Press("teach:go"))
    assert going.lesson.status == "teaching" and going.effects[-1] == Teach(
        CNN.path, going.lesson.items, CNN.step
    )
    died = events_of(scene("teach"), TeacherReady(CNN.path, "It has ended."), KeyPress("r"), ModelReady(CNN))
    assert died.lesson.status == "warming" and WarmTeacher(CNN.path, CNN.step) in died.effects


def test_a_lesson_without_a_teacher_is_answered(tmp_path):
    one = runner.Runner(tmp_path)
    one.do(effects.Teach("/runs/cnn-7", ()))
    one.close()
    (said,) = one.poll()
    assert isinstance(said, TeacherReady) and said.path == "/runs/cnn-7" and "press Again" in said.error


def test_the_reason_why_a_lesson_failed_stays_and_leaves_no_folder(tmp_path, monkeypatch):
    def full(run, *_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(run / "config.json"))

    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(tmp_path))
    monkeypatch.setattr(runs, "write_config", full)
    lessons: Any = object.__new__(teacher._Lessons)
    lessons._loaded = SimpleNamespace(run=tmp_path / "default", step=3, config=TrainConfig())
    with pytest.raises(OSError, match="No space left"):
        lessons._write(None)
    assert list(tmp_path.iterdir()) == []

    state = events_of(scene("teach-lesson"), Press("teach:go"))
    reason = events_of(state, TeacherReady(CNN.path, "No space left on device: make room."))
    ended = events_of(reason, TeacherReady(CNN.path, runner.TEACHER_GONE))
    assert shown(ended)[0] == "No space left on device: make room." == ended.notice


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EIO, "Input/output error", "/there/mnist.gz"), "/there/mnist.gz"),
        (ValueError("shapes do not match"), "ValueError): shapes do not match"),
        (EOFError("too short"), "EOFError): too short"),
        (InputError("cnn-7 is gone: choose another"), "cnn-7 is gone: choose another"),
    ],
)
@pytest.mark.parametrize("at", ["warming up", "a lesson"])
def test_whatever_ends_the_teaching_is_said(at, error, words, monkeypatch):
    def fail(*_):
        raise error

    lessons = SimpleNamespace(follow=lambda step: None, give=fail)
    monkeypatch.setattr(teacher, "_Lessons", fail if at == "warming up" else lambda *_: lessons)
    monkeypatch.setattr(teacher.signal, "signal", lambda *_: None)
    for name in ("dup2", "nice", "_exit"):
        monkeypatch.setattr(os, name, lambda *_: None)
    (requests, asks), (told, answers) = (multiprocessing.Pipe(False) for _ in range(2))
    asks.send_bytes(wire.pack({"kind": "lesson", "step": None, "drawings": []}))
    teacher.main(requests, answers, CNN.path, None, "drawings.ndjson")
    said = []
    while told.poll(0):
        said.append(wire.unpack(told.recv_bytes())[0])
    assert {(one["kind"], one["path"]) for one in said} == {("ready", CNN.path)}
    assert words in said[-1]["error"] and len(said) == (1 if at == "warming up" else 2)


def test_the_network_that_answers_is_the_one_that_is_taught():
    other = CNN._replace(name="cnn-8", path="/runs/cnn-8")
    state = scene("teach-lesson")._replace(effects=())
    changed = events_of(state, ModelReady(other))
    assert changed.lesson.path == other.path and changed.effects == (WarmTeacher(other.path, other.step),)
    assert changed.lesson.status == "warming" and changed.lesson.items == state.lesson.items
    card = teach.blocks(changed, arrange(changed))[2]
    assert "cnn-8" in card.key  # pyright: ignore
    assert events_of(changed, TeacherReady(CNN.path)).lesson.status == "warming", "the old one's"
    for busy in (events_of(state, Press("teach:go")), scene("teach")):
        assert events_of(busy, ModelReady(other)).lesson == busy.lesson
    late = CNN._replace(path=TAUGHT.path)
    rolled = events_of(scene("teach"), KeyPress("r"), ModelReady(late), ModelReady(CNN))
    assert (rolled.lesson.status, rolled.lesson.path, rolled.lesson.taught) == ("ready", CNN.path, None)


def test_what_is_labelled_while_keep_waits_is_of_the_next_lesson():
    state = events_of(scene("teach"), Press("clear"), *strokes_events(DIGITS["4"]), KeyPress("4"))
    kept = events_of(state, KeyPress("k"))
    assert kept.lesson.items == (("4", state.strokes),)


def test_my_drawings_are_those_on_the_disk_without_those_taught(tmp_path):
    state = events_of(scene("teach-begin"), *strokes_events(DIGITS["7"]), KeyPress("7"), Press("clear"))
    state = events_of(state, *strokes_events(DIGITS["2"]), KeyPress("2"))
    recorder = Recorder(tmp_path)
    for word, ink in state.lesson.items:
        recorder.append(Record(word, ink, "", "", (), None))
    first = [strokes.from_json({"drawing": columns(state.lesson.items[0][1]), "word": "7"})]
    mine = teacher._mine(recorder.path, "mnist28", first)["mine"]
    assert mine.labels.tolist() == [2] and len(mine.images) == 1
    assert teacher._mine(recorder.path, "mnist28", [])["mine"].labels.tolist() == [7, 2]
    both = [strokes.from_json({"drawing": columns(ink)}) for _, ink in state.lesson.items]
    assert teacher._mine(recorder.path, "mnist28", both) == {}


@pytest.mark.slow
def test_the_shipped_network_is_taught_in_a_process_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(tmp_path / "checkpoints"))
    one = runner.Runner(tmp_path / "user")

    def until(kind, seconds=240.0) -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for event in one.poll():
                if isinstance(event, kind):
                    return event
            time.sleep(0.05)
        raise AssertionError(f"no {kind.__name__}")

    run = tmp_path / "checkpoints" / "cnn-7"
    shutil.copytree(SHIPPED[1], run)
    first = load_model(run)
    newer = first.step + 100
    write_params(run, newer, first.params, first.record)
    one.do(effects.WarmTeacher(str(run), first.step))
    assert until(TeacherReady).error == ""
    state = scene("teach-begin")
    for word in ("7", "2", "4"):
        state = events_of(state, *strokes_events(DIGITS[word]), KeyPress(word))
    heart = [(500 + 18 * x, 500 + 18 * y) for x, y in doodles.TEMPLATES["heart"]()[0]]
    state = events_of(state, *strokes_events((heart,)), KeyPress("n"))
    one.do(effects.Teach(str(run), state.lesson.items, newer))
    lesson = until(LessonTaught)
    assert lesson.rows[0][0] == "taught" and lesson.rows[0][2:] == (4, 4), "the heart is refused"
    answered = next(row for row in lesson.rows if row[0] == "answered")
    assert answered[3] >= answered[1] - 0.004 * answered[2]
    held_out = lesson.rows[1]
    assert held_out[3] >= held_out[1] - 0.002 * held_out[2]
    assert lesson.name == "cnn-7-taught"
    about = checkpoints.held_out(load_model(Path(lesson.path)).record)
    assert about == f"{held_out[0].lower()} ({held_out[2]:,} validation digits)"
    assert runs.read_config(Path(lesson.path)).start == str(run / str(newer))
    assert runs.best_step(Path(lesson.path)).name == str(newer + 100)
    one._teacher[1].process.kill()  # pyright: ignore
    assert "has ended" in until(TeacherReady).error
    one.close()
