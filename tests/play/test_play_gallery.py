"""Gallery: the recorded drawings in their order, relabelled, deleted, exported, imported."""

import itertools
import json

import pygame

from play import gallery, places
from play.app import WindowSource
from play.effects import Delete, Export, Import, ListFiles, Relabel
from play.events import Dropped, FilesListed, KeyPress, PenDown, Press, Tick
from play.layout import arrange
from play.update import update
from play.view.frame import controls_of
from tests.play.drawings import FOUR, strokes_events
from tests.play.fakes import Script, make_loop
from tests.play.made_up import FILES, entries
from tests.play.scenes import scene


def test_wrong_ones_first_then_the_newest():
    listed = scene("gallery").gallery.entries
    assert [entry.wrong for entry in listed] == sorted((entry.wrong for entry in listed), reverse=True)
    for _, group in itertools.groupby(listed, lambda entry: entry.wrong):
        numbers = [entry.number for entry in group]
        assert numbers == sorted(numbers, reverse=True)
    assert {entry.key for entry in listed} == {entry.key for entry in entries()}


def test_the_chosen_drawing_stays_in_sight():
    state = update(scene("gallery"), Press("entry:none"))
    for key in ("right",) * 29 + ("left",) * 12:
        state = update(state, KeyPress(key))
        listing, _ = places.gallery_places(state, arrange(state))
        shown = [state.gallery.entries[index].key for index, _ in listing.cells]
        assert state.gallery.selected in shown
    assert gallery.choose(gallery.Gallery(), 1) == gallery.Gallery()


def test_relabel_delete_export_import_ask_for_what_they_say():
    state = scene("gallery")

    def asked(*events):
        after = state
        for event in events:
            after = update(after, event)
        return after.effects[len(state.effects) :]

    assert asked(KeyPress("8")) == asked(Press("label:8")) == (Relabel("k3", "8"),)
    assert asked(KeyPress("n")) == (Relabel("k3", "not-a-digit"),)
    assert asked(KeyPress("delete")) == ()
    assert asked(Press("delete"), KeyPress("delete")) == (Delete("k3"),)
    assert asked(Press("delete"), KeyPress("right"), Press("delete")) == ()
    assert asked(KeyPress("x")) == (Export("ndjson", False),)
    assert asked(Press("export:ndjson+times")) == (Export("ndjson", True),)
    assert asked(Press("export:png")) == (Export("png", False),)
    assert asked(Press("import")) == (ListFiles(),)
    assert asked(Press("import:/home/ada/set-1.ndjson")) == ()
    empty = scene("gallery-empty")
    enabled = {control.action for control in controls_of(empty, arrange(empty)) if control.enabled}
    assert "import" in enabled and not any(
        action.startswith(("label", "export", "delete")) for action in enabled
    )


def test_the_second_of_a_double_click_deletes_nothing():
    once = update(scene("gallery")._replace(effects=()), Press("delete"))
    twice = update(update(once, Tick(once.time + 0.3)), Press("delete"))
    assert twice.effects == () and twice.gallery.confirm == "k3"
    later = update(update(twice, Tick(once.time + 1.0)), Press("delete"))
    assert later.effects == (Delete("k3"),)
    assert update(once, KeyPress("delete")).effects == (Delete("k3"),), "nobody strikes a key twice by chance"


def test_a_file_to_import_is_chosen_from_a_list_or_dropped():
    state = scene("gallery-import")._replace(effects=())
    listed = [c.action for c in controls_of(state, arrange(state)) if c.action.startswith("import:")]
    assert listed[0] == "import:/home/ada/Downloads/class-4b.ndjson" and len(listed) > 3
    chosen = update(state, Press(listed[1]))
    assert chosen.effects == (Import(FILES[1].path),) and chosen.gallery.files is None
    assert update(state, Press("import:/etc/passwd")).effects == ()
    for event in (Press("import"), KeyPress("escape"), Press("screen:draw")):
        assert update(state, event).gallery.files is None
    assert update(state, KeyPress("escape")).screen == "gallery"
    dropped = update(update(scene("draw"), PenDown(1, 1, 0)), Dropped("/tmp/a.ndjson"))
    assert dropped.effects[-1] == Import("/tmp/a.ndjson")
    assert dropped.screen == "gallery" and not dropped.pen_down
    assert update(scene("gallery"), FilesListed(FILES)).gallery.files is None


def test_a_file_dropped_on_the_window_is_in_the_gallery(tmp_path):
    file = tmp_path / "from a friend.ndjson"
    file.write_text('{"word": "3", "drawing": [[[0, 5, 9], [0, 4, 9]]]}\n')
    loop = make_loop(tmp_path / "user")
    loop.sources = [WindowSource(loop.window)]
    pygame.event.post(pygame.Event(pygame.DROPFILE, file=str(file)))
    loop.step()
    for event in loop.outside.poll(wait=True):
        loop._apply(event)
    assert loop.state.screen == "gallery" and [e.word for e in loop.state.gallery.entries] == ["3"]
    assert loop.state.notice == "1 drawing added."
    assert loop.state.gallery.folder == str(tmp_path / "user")
    loop.outside.close()
    loop.window.close()


def test_what_is_drawn_and_labelled_is_in_the_gallery_until_it_is_deleted(tmp_path):
    loop = make_loop(tmp_path, Script(strokes_events(FOUR), [], [KeyPress("4")], [Press("screen:gallery")]))

    def steps(*frames):
        loop.sources = (*loop.sources[:0], Script(*frames))
        for _ in range(len(frames) + 2):
            loop.step()
            for event in loop.outside.poll(wait=True):
                loop._apply(event)

    for _ in range(6):
        loop.step()
        for event in loop.outside.poll(wait=True):
            loop._apply(event)
    assert [entry.word for entry in loop.state.gallery.entries] == ["4"]
    steps([KeyPress("right")], [Press("label:7")])
    lines = loop.outside.recorder.path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["word"] for line in lines] == ["7"]
    steps([KeyPress("delete")], [KeyPress("delete")])
    assert loop.outside.recorder.path.read_bytes() == b"" and loop.state.gallery.entries == ()
    loop.outside.close()
    loop.window.close()
