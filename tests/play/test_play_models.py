"""Models: runs to choose, broken ones, two networks on one drawing, lists that scroll."""

import numpy as np
import pygame
import pytest

from play import checkpoints, places
from play.answers import ModelFailed, ModelReady
from play.app import WindowSource
from play.effects import LoadModel, UnloadModel
from play.events import KeyPress, Press, RecordsListed, Resize, Scroll
from play.layout import arrange
from play.state import PlayState
from play.update import update
from play.view import painter as painters
from play.view.frame import controls_of
from play.view.theme import PALETTES
from tests.play import pictures
from tests.play.fakes import make_loop
from tests.play.looking import far, pixels, texts_on
from tests.play.made_up import BROKEN, CNN, RUNS, SMALL, entries
from tests.play.scenes import scene


def test_runs_are_used_put_beside_and_removed():
    state = scene("models")
    used = update(state, Press("model:digits8x8-0"))
    assert used.effects == (*state.effects, LoadModel(SMALL.path, 0))
    beside = update(state, Press("second:digits8x8-0"))
    assert beside.effects[-1] == LoadModel(SMALL.path, 1)
    two = update(beside, ModelReady(SMALL, 1))
    assert update(two, Press("second:digits8x8-0")).effects[-1] == UnloadModel(1)
    assert update(two, Press("second:digits8x8-0")).models == (CNN, None)


def test_a_broken_run_says_why_and_cannot_be_used():
    state = scene("models")
    controls = {control.action for control in controls_of(state, arrange(state))}
    assert f"broken:{BROKEN.name}" in controls and f"model:{BROKEN.name}" not in controls
    asked = update(state, Press(f"model:{BROKEN.name}"))
    assert asked.effects == state.effects and asked.notice == BROKEN.error
    assert far(pixels(state), pixels(update(state, Press(f"broken:{BROKEN.name}")))) > 0.01


def test_two_networks_answer_the_same_drawing():
    state = scene("models-two")
    assert [given.side for given in state.answers if given is not None] == [28, 8]
    image = pixels(state)
    for slot in (0, 1):
        bars = image[:, :, :] == np.array(PALETTES["dark"][8 if slot == 0 else 10])
        assert bars.all(axis=2).sum() > 200


def test_the_list_scrolls_as_far_as_it_goes():
    state = scene("models")
    for event in [Scroll(1)] * 30 + [KeyPress("down"), Press("scroll:down")]:
        state = update(state, event)
    _, listing = places.models_places(state, arrange(state))
    assert listing.first == listing.limit == state.first_model > 0
    assert listing.cells[-1][0] == len(RUNS) - 1
    up = update(state, KeyPress("up"))
    assert up.first_model == state.first_model - 1
    large = update(state, Resize(3840, 2160))
    assert len(places.models_places(large, arrange(large))[1].cells) >= len(listing.cells)


@pytest.mark.parametrize("name", ["models", "gallery"])
def test_a_list_is_moved_by_finger_wheel_and_keys_to_both_ends(name, tmp_path):
    state = update(scene(name), RecordsListed(entries(90)))._replace(effects=())
    loop = make_loop(tmp_path, size=(800, 600), state=state)
    loop.sources = [WindowSource(loop.window)]
    loop.step()

    def first() -> int:
        return places.list_of(loop.state, arrange(loop.state)).first  # pyright: ignore

    def happens(*given) -> int:
        for event in given:
            pygame.event.post(event)
        loop.step()
        return first()

    area, pitch = places.sliding(loop.state, arrange(loop.state))  # pyright: ignore
    chosen, used = loop.state.gallery.selected, loop.state.models
    at = ((area.x + area.w // 2) / 800, (area.bottom - 4) / 600)
    begin = happens(pygame.Event(pygame.KEYDOWN, key=pygame.K_HOME, mod=0, unicode=""))
    touch: dict = {"finger_id": 3, "touch_id": 1, "dx": 0, "dy": 0}
    down = pygame.Event(pygame.FINGERDOWN, x=at[0], y=at[1], **touch)
    move = pygame.Event(pygame.FINGERMOTION, x=at[0], y=at[1] - (pitch + 3) / 600, **touch)
    up = pygame.Event(pygame.FINGERUP, x=at[0], y=at[1] - (pitch + 3) / 600, **touch)
    assert (begin, happens(down, move, up)) == (0, 1)
    assert (loop.state.gallery.selected, loop.state.models) == (chosen, used)
    wheel = {"x": 0, "which": 0, "flipped": False, "precise_x": 0.0, "precise_y": 0.0}
    assert happens(pygame.Event(pygame.MOUSEWHEEL, y=1, **wheel)) == 0
    end = happens(pygame.Event(pygame.KEYDOWN, key=pygame.K_END, mod=0, unicode=""))
    assert end == places.list_of(loop.state, arrange(loop.state)).limit > 0  # pyright: ignore
    assert happens(pygame.Event(pygame.KEYDOWN, key=pygame.K_UP, mod=0, unicode="")) == end - 1
    loop.outside.close()
    loop.window.close()


def test_a_run_that_was_chosen_says_that_it_loads_until_it_is_there():
    state = scene("models")._replace(effects=())
    run = next(info for info in state.listed if not info.error and info != state.models[0])
    for slot, action in enumerate(("model", "second")):
        press = Press(f"{action}:{run.name}")
        asked = update(state, press)
        assert asked.effects == (LoadModel(run.path, slot),) and update(asked, press) == asked
        labels = {control.action: control.label for control in controls_of(asked, arrange(asked))}
        assert [name for name, label in labels.items() if label == "Loading"] == [press.action]
        for end in (ModelReady(run, slot), ModelFailed("it is damaged", slot=slot, path=run.path)):
            assert update(asked, end).awaited == ("", "")
        for path in ("", "/another"):
            other = update(asked, ModelFailed("something else", slot=slot, path=path))
            assert other.awaited[slot] == run.path
        other = update(asked, ModelReady(run._replace(path="/another"), slot))
        assert other.awaited[slot] == run.path


def test_who_chooses_the_network_in_use_again_keeps_it():
    state = scene("models")._replace(effects=())
    now = state.models[0]
    assert now is not None
    run = next(info for info in state.listed if not info.error and info != now)
    both = update(update(state, Press(f"model:{run.name}")), Press(f"model:{now.name}"))
    assert both.effects == (LoadModel(run.path, 0), LoadModel(now.path, 0)), "the last one stays"
    assert update(state, Press(f"model:{now.name}")).effects == ()
    beside = update(state, ModelReady(now, 1))
    back = update(update(beside, Press(f"second:{run.name}")), Press(f"second:{now.name}"))
    assert back.effects[-1] == LoadModel(now.path, 1) and back.awaited[1] == now.path


def test_a_second_network_that_fails_to_load_leaves_the_one_beside_that_reads():
    state = update(update(scene("models"), ModelReady(SMALL, 1)), Press(f"second:{CNN.name}"))
    failed = update(state, ModelFailed("it is damaged", slot=1, path=CNN.path))
    assert failed.models == (CNN, SMALL) and failed.notice == "it is damaged"


def test_without_any_run_the_list_gives_the_command_and_looks_for_nothing():
    state = PlayState(screen="models", problem="/a/long/folder has no checkpoint: run ...", missing=True)
    shown = texts_on(state)
    assert "No run yet: make train" in shown and "No network" in shown
    assert not any("Looking" in text for text in shown)


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({"mnist@validation": 5000}, "mnist (5,000 validation digits)"),
        (
            {"strokes:a/b-1.ndjson.gz@validation": 50, "mnist@validation": 5000, "synthetic@validation": 9},
            "b-1 and 1 more set together (5,050 validation digits)",
        ),
        (
            {"mnist@validation": 3, "a@validation": 2, "b@validation": 2},
            "mnist and 2 more sets together (7 validation digits)",
        ),
        ({"synthetic@validation": 9}, "synthetic (9 validation digits)"),
        ({}, ""),
    ],
)
def test_the_status_line_says_of_which_digits_its_figure_is(counts, text):
    record = {
        "accuracy": 0.99,
        "validation": {name: {"accuracy": 0.99, "n": n} for name, n in counts.items()},
    }
    assert checkpoints.held_out(record) == text
    state = update(scene("draw", 1280, 800), ModelReady(CNN._replace(held_out=text)))._replace(notice="")
    assert any(f"reads 99.51 % of {text or 'held-out digits'}" in said for said in texts_on(state))
    for nonsense in ({}, {"validation": None}, {"validation": {"a": 3, "b": {"n": "x"}}}):
        assert checkpoints.held_out(nonsense) == ""


def test_a_models_row_says_what_its_numbers_are():
    assert any("99k parameters" in text for text in texts_on(scene("models", 1280, 800)))


def test_while_the_network_loads_the_heading_fits_the_smallest_window(monkeypatch):
    cut: list[str] = []
    fitting = painters._fitting

    def watched(text, color, pixels, smallest, bold, width, height):
        size = painters.fitting_pixels(text, pixels, smallest, bold, width, height)
        cut.extend([text] if painters.text_width(text, size, bold) > width else [])
        return fitting(text, color, pixels, smallest, bold, width, height)

    monkeypatch.setattr(painters, "_fitting", watched)
    state = update(PlayState(width=640, height=480), Press("screen:models"))
    pictures.paint(state)
    assert state.loading and cut == []
