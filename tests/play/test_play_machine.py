"""No sequence of events crashes the program or loses a stroke (Hypothesis)."""

import pygame
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from play import studio
from play.actions import KEYS
from play.answers import (
    Explained,
    FeatureMap,
    Filmed,
    FramesListed,
    KeptStep,
    ModelFailed,
    ModelReady,
    ModelsListed,
    ReaderEnded,
)
from play.events import (
    BinListed,
    Card,
    Closed,
    Dropped,
    FilesListed,
    Focus,
    FoundFile,
    HardListed,
    Hover,
    KeyPress,
    LessonTaught,
    Measured,
    Notice,
    PenDown,
    PenDropped,
    PenLost,
    PenMove,
    PenUp,
    Press,
    Recorded,
    RecordEntry,
    RecordsListed,
    Resize,
    RunsChanged,
    ScoreSaved,
    ScoresListed,
    Scroll,
    TeacherReady,
    Tick,
    Traced,
)
from play.layout import arrange
from play.state import PlayState
from play.studio import EpochSeen, HardDigit, RunSeen
from play.update import update
from play.view.frame import Frame, controls_of
from tests.play.fakes import MODEL, answer

coordinate = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-100, 1100)
seconds = st.floats(0, 1e6) | st.floats()
actions = st.sampled_from(
    [
        *KEYS.values(),
        "screen:draw",
        "screen:sees",
        "screen:why",
        "screen:models",
        "screen:gallery",
        "screen:train",
        *(f"tab:{tab}" for tab in studio.TABS),
        *(f"turn:{row}{sign}" for row in studio.ROWS for sign in "+-"),
        *(f"train:{what}" for what in ("start", "go-on", "pause", "stop", "rate+", "rate-")),
        "screen:time",
        "screen:score",
        "screen:teach",
        *(f"teach:{what}" for what in ("go", "keep", "back", "forget", "again")),
        *(f"score:{what}" for what in ("begin", "next", "back", "stop")),
        *(f"slide:{name}={to}" for name in ("frame", "part") for to in ("+", "-", "0.4", "1", "nan")),
        "hard:0",
        "hard:²",
        "watch:cnn-7",
        "copy:x",
        "bin:cnn-7",
        "binned",
        "back:cnn-7",
        "answer",
        "stage:box",
        "stage:mass",
        "pen",
        "eraser",
        "model:x",
        "second:cnn-7",
        "entry:zz",
        "export:png",
        "import",
        "import:/x",
        "text-cycle",
        "",
        ":",
        "x:y",
    ]
)
number = st.floats() | st.floats(0, 1)


def odd_answer(revision, one, is_digit, fit, slot):
    """An answer of which any number may be none."""
    sound = answer(revision, 3)
    probabilities = (*sound.probabilities[:9], one)
    return sound._replace(probabilities=probabilities, is_digit=is_digit, fit=fit, slot=slot)


def explained(revision, digit, heat, without):
    """An explanation whose heat is `heat` everywhere, and of so many strokes."""
    rows = tuple((str(digit), one, one) for one in without)
    maps = (FeatureMap("conv", 2, 4, 4, bytes(range(32))),)
    return Explained(revision, digit, (heat,) * 784, 28, rows, maps)


entry = st.builds(
    RecordEntry,
    st.sampled_from(["zz", "a"]),
    st.integers(0, 99),
    st.sampled_from(["7", "not-a-digit", "cat"]),
    st.sampled_from(["", "7", "not a digit"]),
    st.just((((0.0, 0.0), (1.0, 0.5)), ((0.2, 0.2),))),
)
frame = st.builds(KeptStep, st.integers(0, 99), st.none() | st.floats(0, 1), st.booleans())
said = st.tuples(st.sampled_from(["7", "not a digit"]), st.floats(0, 1))
events = st.one_of(
    st.builds(
        odd_answer,
        st.integers(0, 9),
        number,
        st.none() | number,
        st.tuples(number, number, number) | st.none(),
        st.integers(0, 1),
    ),
    st.builds(explained, st.integers(0, 9), st.integers(0, 9), number, st.lists(number, max_size=4)),
    st.builds(RecordsListed, st.lists(entry, max_size=4).map(tuple), st.just("/x")),
    st.builds(ModelsListed, st.just((MODEL, MODEL._replace(name="x", path="/x", error="it is damaged")))),
    st.builds(FilesListed, st.just((FoundFile("/x", 9, "2026"),))),
    st.builds(
        RunSeen,
        st.sampled_from(["/x", "/nowhere/cnn-7"]),
        st.just("cnn-7"),
        st.sampled_from(["starting", "training", "paused", "stopped", "finished", "failed", "gone"]),
        st.sampled_from(["", "It ended."]),
        st.integers(0, 99),
        st.sampled_from([0, 99]),
        st.lists(st.tuples(st.integers(0, 99), st.floats(0, 1e30), st.floats(0, 1)), max_size=4).map(tuple),
        st.lists(st.builds(EpochSeen, st.integers(0, 99), st.none() | st.floats(0, 9)), max_size=3).map(
            tuple
        ),
        st.sampled_from([(), (0, 1)]),
        st.floats(0, 1e9),
        st.none() | st.floats(0, 1e9),
        st.floats(0, 1),
    ),
    st.builds(
        HardListed,
        st.just("/x"),
        st.just((HardDigit(3, 4, 0.1, 8, bytes(64)), HardDigit(3, 3, 1.0, 28, bytes(784)))),
    ),
    st.builds(Traced, st.just(3), st.just(4), st.sampled_from([(), (((1.0, 2.0), (3.0, 4.0)),)])),
    st.just(RunsChanged()),
    st.builds(BinListed, st.sampled_from([(), ("/x/.bin/cnn-7",)])),
    st.builds(TeacherReady, st.just(MODEL.path), st.sampled_from(["", "It ended."])),
    st.builds(LessonTaught, st.just("/x"), st.just("x"), st.just((("taught", 0, 0, 0),)), st.floats(0, 9)),
    st.builds(ScoreSaved, st.sampled_from(["", "/x"]), st.sampled_from(["", "full"])),
    st.builds(ScoresListed, st.none() | st.just(Card(1, 2, (("3", "5"),), (1.0, "3"), (0.1, "3"), "x", "y"))),
    st.builds(FramesListed, st.just(MODEL.path), st.lists(frame, max_size=3).map(tuple), st.booleans()),
    st.builds(Filmed, st.just(MODEL.path), st.integers(0, 60), st.lists(said, max_size=3).map(tuple)),
    st.builds(Dropped, st.text(max_size=5)),
    st.builds(Measured, number, st.none() | number, st.integers(0, 9)),
    st.builds(Hover, st.none() | actions),
    st.builds(PenDown, coordinate, coordinate, seconds),
    st.builds(PenMove, coordinate, coordinate, seconds),
    st.builds(PenUp, seconds),
    st.builds(PenDropped, seconds),
    st.builds(PenLost, seconds),
    st.builds(
        KeyPress,
        st.sampled_from([*KEYS, "escape", "return", "up", "left", "é", ""]),
        st.booleans(),
        st.booleans(),
    ),
    st.builds(Press, actions),
    st.builds(Focus, st.none() | actions),
    st.builds(Scroll, st.floats()),
    st.builds(Resize, st.integers(-5, 3000), st.integers(-5, 3000)),
    st.builds(Tick, seconds),
    st.builds(answer, st.integers(0, 60), st.integers(0, 9), st.floats(0, 1), st.none() | st.floats(0, 1)),
    st.builds(ModelReady, st.just(MODEL), st.integers(0, 1)),
    st.builds(ModelFailed, st.text(max_size=9), st.booleans(), st.integers(0, 1)),
    st.builds(ReaderEnded, st.text(max_size=9)),
    st.builds(Recorded, st.sampled_from("0123456789"), st.integers(0, 9), st.sampled_from(["", "full"])),
    st.builds(Notice, st.text(max_size=9)),
    st.builds(Closed),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(events, max_size=40))
def test_any_events_give_a_sound_state(sequence):
    state = PlayState()
    for event in sequence:
        before = state
        state = update(state, event)
        assert state.revision >= before.revision
        for stroke in state.strokes:
            assert len(stroke.points) == len(stroke.times) >= 1
            assert all(0 <= x <= 1000 and 0 <= y <= 1000 for x, y in stroke.points)
        if not state.strokes:
            assert state.shown.word == ""
        assert all(0 <= bar <= 1 for bar in state.bars)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(events, max_size=15))
def test_any_state_can_be_painted(sequence):
    pygame.font.init()
    surface, frame, state = pygame.Surface((420, 330)), Frame(), PlayState(width=420, height=330)
    for event in sequence:
        if not isinstance(event, Resize):
            state = update(state, event)
        frame.draw(surface, state)
    controls_of(state, arrange(state))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["draw", "sees", "why", "models"]),
    st.builds(
        odd_answer,
        st.just(1),
        number,
        st.none() | number,
        st.tuples(number, number, number) | st.none(),
        st.integers(0, 1),
    ),
    st.builds(explained, st.just(1), st.integers(0, 9), number, st.lists(number, max_size=2)),
)
def test_numbers_that_are_none_reach_no_painter(screen, said, why):
    pygame.font.init()
    surface, state = pygame.Surface((420, 330)), PlayState(width=420, height=330)
    begin = [ModelReady(MODEL), Press(f"screen:{screen}"), PenDown(1, 1, 0.0), PenMove(600, 600, 0.0)]
    for event in [*begin, PenUp(0.0)]:
        state = update(state, event)
    here = state.revision
    for event in (said._replace(revision=here), why._replace(revision=here), Tick(1.0)):
        state = update(state, event)
    Frame().draw(surface, state)


class Strokes(RuleBasedStateMachine):
    """Drawing, undoing, redoing, clearing, labelling against a list of pictures with a cursor."""

    def __init__(self) -> None:
        super().__init__()
        self.state = PlayState()
        self.history, self.at, self.labelled = [()], 0, False

    def _push(self, picture) -> None:
        if picture == self.history[self.at]:
            return
        self.history = [*self.history[: self.at + 1], picture]
        self.at += 1

    @rule(
        x=st.floats(0, 1000),
        y=st.floats(0, 1000),
        more=st.lists(st.tuples(st.floats(0, 1000), st.floats(0, 1000)), max_size=4),
    )
    def draw(self, x, y, more):
        for event in [PenDown(x, y, 0.0), *(PenMove(px, py, 0.0) for px, py in more), PenUp(0.0)]:
            self.state = update(self.state, event)
        if self.labelled:
            self._push(())
        points = [(x, y)]
        for point in more:
            if point != points[-1]:
                points.append(point)
        self.history = [*self.history[: self.at + 1], (*self.history[self.at], tuple(points))]
        self.at += 1
        self.labelled = False

    @rule(x=st.floats(0, 400), end=st.sampled_from(["label", "lost", "resize"]))
    def interrupted(self, x, end):
        """A label or a lost pen ends the stroke where it is; another window's size does not."""
        size = Resize(700, 500)
        between = {"label": KeyPress("5"), "lost": PenLost(0.0), "resize": size}[end]
        for event in [PenDown(x, x, 0.0), between, PenMove(x + 500, x, 0.0), PenUp(0.0)]:
            self.state = update(self.state, event)
        if self.labelled:
            self._push(())
        points = ((x, x), (x + 500, x)) if end == "resize" else ((x, x),)
        self.history = [*self.history[: self.at + 1], (*self.history[self.at], points)]
        self.at += 1
        self.labelled = end == "label"

    @rule(x=st.floats(0, 1000))
    def rub(self, x):
        """The eraser takes ink away or leaves it; one undo brings all back."""
        if self.labelled:
            return
        for event in [Press("eraser"), PenDown(x, x, 0.0), PenMove(x, 0, 0.0), PenUp(0.0), Press("pen")]:
            self.state = update(self.state, event)
        left = tuple(stroke.points for stroke in self.state.strokes)
        if left == self.history[self.at]:
            return
        self.history = self.history[: self.at + 1]
        self.state = update(self.state, KeyPress("z"))
        assert tuple(stroke.points for stroke in self.state.strokes) == self.history[self.at]
        self.state = update(self.state, KeyPress("y"))
        self.history = [*self.history, left]
        self.at += 1

    @rule(x=st.floats(0, 1000), tool=st.sampled_from(["pen", "eraser"]))
    def dropped(self, x, tool):
        """A palm's touch is as if it had not been, also for what can be undone and redone afterwards."""
        for event in [Press(tool), PenDown(x, x, 0.0), PenMove(x, 0, 0.0), PenDropped(0.0), Press("pen")]:
            self.state = update(self.state, event)

    @rule()
    def undo(self):
        self.state = update(self.state, KeyPress("z"))
        if self.at:
            self.at -= 1
            self.labelled = False

    @rule()
    def redo(self):
        self.state = update(self.state, KeyPress("y"))
        if self.at < len(self.history) - 1:
            self.at += 1
            self.labelled = False

    @rule()
    def clear(self):
        self.state = update(self.state, KeyPress("c"))
        self._push(())
        self.labelled = False

    @rule(word=st.sampled_from("0123456789n"))
    def label(self, word):
        self.state = update(self.state, KeyPress(word))
        self.labelled = self.labelled or bool(self.history[self.at])

    @rule(size=st.integers(100, 3000), screen=st.sampled_from(["why", "gallery", "draw"]))
    def disturb(self, size, screen):
        for event in (
            Resize(size, size),
            Press(f"screen:{screen}"),
            Press("screen:draw"),
            KeyPress("t"),
            Tick(1.0),
        ):
            self.state = update(self.state, event)

    @invariant()
    def ink_is_what_was_drawn(self):
        assert tuple(stroke.points for stroke in self.state.strokes) == self.history[self.at]


Strokes.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestStrokes = Strokes.TestCase
