"""Source `unipen:PATH`, on files written here; what is expected was worked out by hand from unipen.def."""

import os
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from digitjax import cli
from digitjax.data import load, unipen
from digitjax.data.splits import in_split, writer_digest
from digitjax.data.unipen import read_unipen
from digitjax.errors import InputError
from digitjax.segments import pack

HEAD = """.VERSION 1.0
.DATA_SOURCE Lab_of
             ours, Here
.DATA_ID set1
.COORD T X Y
.HIERARCHY WORD CHARACTER
.X_DIM 1000
.X_POINTS_PER_INCH 200
.Y_POINTS_PER_INCH 100
.WRITER_ID Anna
"""
INK = """.PEN_DOWN
0 10 5
1 20 15
.PEN_UP
.DT 40
.PEN_DOWN
2 30 0
3 40 1
4 50 2
.PEN_UP
5 99 99
.PEN_DOWN
6 60
7
7 70 8
.PEN_UP
"""
# components: 0 down (2 points), 1 down (3), 2 up (1, counted since it is not empty), 3 down (2)
STROKES = {0: [(10, -10), (20, -30)], 1: [(30, 0), (40, -2), (50, -4)], 3: [(60, -14), (70, -16)]}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def strokes(drawing) -> list[list[tuple]]:
    return [[tuple(point) for point in stroke.tolist()] for stroke in drawing.strokes]


@pytest.fixture
def release(tmp_path) -> Path:
    """A small copy of how the published releases are laid out."""
    root = tmp_path / "release"
    write(root / "include" / "lab" / "lab.doc", HEAD)
    write(root / "include" / "lab" / "data" / "one.dat", INK)
    write(
        root / "data" / "1a" / "lab" / "one.dat",
        ".VERSION 1.0\n.INCLUDE lab/lab.doc\n.INCLUDE lab/data/one.dat\n"
        '.SEGMENT CHARACTER 0 ? "1"\n.SEGMENT CHARACTER 1-3 OK "4"\n.SEGMENT WORD 0-3 ? "14"\n',
    )
    write(root / "README.md", "# not UNIPEN\n")
    return root


@pytest.mark.parametrize(
    ("delineation", "expected"),
    [
        ("0", [STROKES[0]]),
        ("1", [STROKES[1]]),
        ("0-1", [STROKES[0], STROKES[1]]),
        ("0,3", [STROKES[0], STROKES[3]]),
        ("0-1,3", [STROKES[0], STROKES[1], STROKES[3]]),
        ("1-3", [STROKES[1], STROKES[3]]),  # the movement between them left no ink
        ("1:1-1:1", [STROKES[1][1:2]]),
        ("0:1-1", [STROKES[0][1:], STROKES[1]]),
        ("1:1-3:0", [STROKES[1][1:], STROKES[3][:1]]),
        ("0,1:0-1:1,3:1-3:1", [STROKES[0], STROKES[1][:2], STROKES[3][1:]]),
    ],
)
def test_a_delineation_takes_components_and_points(tmp_path, delineation, expected):
    path = write(tmp_path / "a.dat", f'{HEAD}{INK}.SEGMENT CHARACTER {delineation} ? "7"\n')
    (drawing,) = read_unipen(path)
    assert strokes(drawing) == expected
    assert (drawing.word, drawing.source, drawing.writer) == ("7", "Lab_of ours, Here", "Anna")


def test_y_is_flipped_and_brought_to_the_unit_of_x(tmp_path):
    text = INK + '.SEGMENT CHARACTER 0 ? "7"\n'
    for units, factor in (
        ("", 1.0),
        (".X_POINTS_PER_INCH 100\n", 1.0),  # y's is not known
        (".X_POINTS_PER_INCH 100\n.Y_POINTS_PER_INCH 100\n", 1.0),
        (".X_POINTS_PER_INCH 856.7\n.Y_POINTS_PER_INCH 979.3\n", 856.7 / 979.3),
        (".X_POINTS_PER_MM 10\n.Y_POINTS_PER_MM 40\n", 0.25),
        (".X_POINTS_PER_INCH 254\n.Y_POINTS_PER_MM 20\n", 0.5),
    ):
        (drawing,) = read_unipen(write(tmp_path / "a.dat", f".COORD T X Y\n{units}{text}"))
        np.testing.assert_allclose(drawing.strokes[0], [(10, -5 * factor), (20, -15 * factor)])


def test_labels_of_one_character_are_words_and_all_others_are_counted(tmp_path):
    labels = {
        '"7"': "7",
        r'"\""': '"',
        '"""': '"',
        r'"\\"': "\\",
        '"\\"': "\\",
        '"é"': "é",
        '"ab"': None,
        '" "': None,
        '""': None,
        "": None,
    }
    lines = [f".SEGMENT CHARACTER {i % 2} ? {label}\n" for i, label in enumerate(labels)]
    lines += ['.SEGMENT CHARACTER ? ? "x"\n', '.SEGMENT CHARACTER 2 ? "u"\n', ".SEGMENT CHARACTER\n"]
    path = write(tmp_path / "a.dat", HEAD + INK + "".join(lines))
    drawings = list(read_unipen(path))
    assert [drawing.word for drawing in drawings] == [*labels.values(), None, None, None]
    source = load(f"unipen:{path}")
    assert source.words == ("7", '"', '"', "\\", "\\", "é") and source.skipped == 7
    assert source.labels.tolist() == [7, 10, 10, 10, 10, 10]
    assert source.writers == ("Lab_of ours, Here/Anna",) * 6
    assert source.ink is not None
    np.testing.assert_array_equal(source.ink.ends[0], pack(drawings[0].strokes).ends)


def test_a_character_that_is_also_a_word_is_one_drawing(tmp_path):
    segments = '.SEGMENT CHARACTER 0 ? "I"\n.SEGMENT WORD 0 OK "I"\n.SEGMENT CHARACTER 1 ? "I"\n'
    path = write(tmp_path / "a.dat", HEAD + INK + segments)
    assert [strokes(d) for d in read_unipen(path)] == [[STROKES[0]], [STROKES[1]]]


def test_segments_may_stand_first_and_a_new_set_counts_from_zero(tmp_path):
    text = (
        HEAD + '.SEGMENT CHARACTER 0 ? "7"\n' + INK + ".START_SET two\n.WRITER_ID Bob\n"
        '.PEN_DOWN\n0 1 1\n.PEN_UP\n.SEGMENT CHARACTER 0 ? "8"\n.COMMENT\nfree text of 3\nlines "7\n'
    )
    seven, eight = read_unipen(write(tmp_path / "a.dat", text))
    assert (seven.word, seven.writer, strokes(seven)) == ("7", "Anna", [STROKES[0]])
    assert (eight.word, eight.writer, strokes(eight)) == ("8", "Bob", [[(1, -2)]])


def test_the_writer_is_whose_ink_it_is_and_a_file_ends_what_it_declares(tmp_path):
    ink = ".WRITER_ID {}\n.PEN_DOWN\n1 2\n.PEN_UP\n"
    write(tmp_path / "a.dat", f'.DATA_ID d\n.COORD X Y\n{ink.format("a")}{ink.format("b")}'
          '.SEGMENT C 0 ? "1"\n.SEGMENT C 1 ? "2"\n')  # fmt: skip
    write(tmp_path / "b.dat", '.COORD X Y\n.PEN_DOWN\n1 2\n.PEN_UP\n.SEGMENT C 0 ? "3"\n')
    found = [(d.word, d.source, d.writer) for d in read_unipen(tmp_path)]
    assert found == [("1", "d", "a"), ("2", "d", "b"), ("3", None, None)]


def test_a_release_is_read_whole_or_in_part_and_by_file(release):
    for path in (release, release / "data", release / "data" / "1a", release / "data/1a/lab/one.dat"):
        one, four, word = read_unipen(path)
        assert (one.word, four.word, word.word) == ("1", "4", None)
        assert strokes(four) == [STROKES[1], STROKES[3]] and four.writer == "Anna"


def test_windows_line_ends_marks_and_latin_1_are_read(tmp_path):
    text = ("\ufeff" + HEAD + INK + '.SEGMENT CHARACTER 0 ? "7"\n').replace("\n", "\r\n")
    (drawing,) = read_unipen(write(tmp_path / "a.dat", text))
    assert strokes(drawing) == [STROKES[0]]
    (tmp_path / "a.dat").write_bytes((HEAD + INK).encode() + b'.COMMENT caf\xe9\n.SEGMENT C 0 ? "7"\n')
    assert [d.word for d in read_unipen(tmp_path)] == ["7"]


def test_splits_keep_writers_together_as_those_of_strokes_do(tmp_path):
    people = [f"w{i}" for i in range(30)]
    text = ".DATA_SOURCE lab\n.COORD X Y\n" + "".join(
        f'.WRITER_ID {person}\n.PEN_DOWN\n{i} 0\n{i} 9\n.PEN_UP\n.SEGMENT C {i} ? "{i % 10}"\n'
        for i, person in enumerate(people)
    )
    path = write(tmp_path / "a.dat", text)
    for split in ("train", "validation", "test"):
        expected = [f"lab/{p}" for p in people if in_split(writer_digest("lab", p), split)]
        assert expected and list(load(f"unipen:{path}@{split}").writers or ()) == expected


BAD = [
    (".PEN_DOWN\n1 2 3\n4 nan 6\n", 13, "'nan' is no number"),
    (".PEN_DOWN\n1 2 3\n4 1e999 6\n", 13, "'1e999' is no number, or not finite"),
    (".PEN_DOWN\n1 -inf 3\n", 12, "'-inf' is no number"),
    (".PEN_DOWN\n1 2 3\n\n4 5x 6\n", 14, "'5x' is no number"),
    (".PEN_DOWN\n1 2_0 3\n", 12, "'2_0' is no number"),
    (".PEN_DOWN\n1 ٢ 3\n", 12, "is no number"),
    (".PEN_DOWN\n1 2 3 4\n", 11, "4 numbers, no whole rows of 3"),
    (".PEN_UP\n1 2\n", 11, ".PEN_UP holds 2 numbers"),
    (".X_POINTS_PER_INCH 1e300\n.PEN_DOWN\n0 0 1e300\n", 12, "beyond 1e308"),
    (".COORD X T\n", 11, "does not name X and Y"),
    (".COORD X Y X\n", 11, "once each"),
    (".Y_POINTS_PER_INCH 0\n", 11, "not above 0"),
    (".Y_POINTS_PER_MM many\n", 11, "'many' is no number"),
    (".Y_POINTS_PER_MM\n", 11, "not above 0"),
    (INK + '.SEGMENT C 0 ? "7\n', 27, "not closed"),
    (INK + '.SEGMENT C 0;1 ? "7"\n', 27, "'0;1' is no delineation"),
    (INK + '.SEGMENT C 0,,1 ? "7"\n', 27, "'' is no delineation"),
    (INK + '.SEGMENT C -1 ? "7"\n', 27, "'-1' is no delineation"),
    (INK + '.SEGMENT C 1-0 ? "7"\n', 27, "runs backwards"),
    (INK + '.SEGMENT C 1:2-1:1 ? "7"\n', 27, "runs backwards"),
    (INK + '.SEGMENT C 4 ? "7"\n', 27, "component 4 of 4"),
    (INK + '.SEGMENT C 0-999999999 ? "7"\n', 27, "component 999999999 of 4"),
    (INK + '.SEGMENT C 0-9999999999 ? "7"\n', 27, "is no delineation"),
    (INK + '.SEGMENT C 0:2-1 ? "7"\n', 27, "point 2 of 2"),
    (INK + '.SEGMENT C 0-1:3 ? "7"\n', 27, "point 3 of 3"),
    (INK + f'.SEGMENT C {",".join(["0"] * 20_000)} ? "7"\n', 27, "parts"),
    (INK + "".join(f'.SEGMENT C {",".join(["0"] * n)} ? "7"\n' for n in range(1, 99)), 49, "64 times"),
    (".WRITER_ID " + "w" * 2000, 11, "longer than 1024"),
    (".INCLUDE none.doc\n", 11, "'none.doc' is neither beside this file nor in"),
    (".INCLUDE\n", 11, "no relative path"),
    (".INCLUDE /etc/passwd\n", 11, "no relative path"),
    (".INCLUDE C:\\secret\n", 11, "no relative path"),
    (".INCLUDE ../outside.dat\n", 11, "leads out of"),
    (".INCLUDE sub\\..\\..\\outside.dat\n", 11, "leads out of"),
    (".INCLUDE link.dat\n", 11, "leads out of"),
    (".INCLUDE bad.dat\n", 11, "in a loop"),
    (".INCLUDE loop.dat\n", (1, "loop.dat"), "in a loop"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "where", "says"), BAD, ids=[case[2][:20] for case in BAD])
def test_malformed_text_is_named_by_file_and_line(tmp_path, text, where, says):
    inner = tmp_path / "given"
    write(tmp_path / "outside.dat", INK)
    write(inner / "sub" / "x.txt", "")
    write(inner / "loop.dat", ".INCLUDE bad.dat\n")
    if "link" in text:
        try:
            os.symlink(tmp_path / "outside.dat", inner / "link.dat")
        except OSError:
            pytest.skip("this system does not let us make links")
    path = write(inner / "bad.dat", HEAD + text)
    line, name = where if isinstance(where, tuple) else (where, "bad.dat")
    with pytest.raises(InputError, match=f"{name}:{line}: ") as error:
        list(read_unipen(path))
    assert says in str(error.value)


def test_points_need_to_be_declared(tmp_path):
    path = write(tmp_path / "a.dat", ".VERSION 1.0\n" + INK)
    with pytest.raises(InputError, match=r"a.dat:2: there are points before .COORD"):
        list(read_unipen(path))


def test_a_link_out_of_the_folder_and_a_pipe_are_not_read(tmp_path):
    write(tmp_path / "outside.dat", HEAD + INK + '.SEGMENT C 0 ? "7"\n')
    write(tmp_path / "in" / "a.dat", HEAD + INK + '.SEGMENT C 0 ? "7"\n')
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "in" / "pipe")
        assert len(list(read_unipen(tmp_path / "in"))) == 1
        with pytest.raises(InputError, match="no UNIPEN text"):
            list(read_unipen(tmp_path / "in" / "pipe"))
    try:
        os.symlink(tmp_path / "outside.dat", tmp_path / "in" / "b.dat")
    except OSError:
        pytest.skip("this system does not let us make links")
    with pytest.raises(InputError, match="is a link out of"):
        list(read_unipen(tmp_path / "in"))


@pytest.mark.parametrize(
    ("files", "given", "says"),
    [
        ({}, "none", "does not exist"),
        ({"unipne.dat": ""}, "unipen.dat", "did you mean"),
        ({"a.txt": "hello\n"}, "a.txt", "no UNIPEN text"),
        ({"a.txt": "hello\n", ".git/x": ".VERSION 1\n"}, "", "holds no UNIPEN file"),
        ({"a.dat": HEAD + INK}, "a.dat", "no segment"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path, files, given, says):
    for name, text in files.items():
        write(tmp_path / name, text)
    with pytest.raises(InputError, match=says):
        list(read_unipen(tmp_path / given))


def test_size_depth_and_number_of_includes_are_bounded(tmp_path, monkeypatch):
    for i in range(12):
        write(tmp_path / f"{i}.dat", f".INCLUDE {i + 1}.dat\n")
    write(tmp_path / "12.dat", INK)
    with pytest.raises(InputError, match=r"7.dat:1: .* nested 8 files deep"):
        list(read_unipen(tmp_path / "0.dat"))
    write(tmp_path / "empty", "")
    write(tmp_path / "many.dat", ".INCLUDE empty\n" * 2000)
    with pytest.raises(InputError, match=r"many.dat:1001: .* 1000 .INCLUDE"):
        list(read_unipen(tmp_path / "many.dat"))
    monkeypatch.setattr(unipen, "MAX_BYTES", 2**20)
    write(tmp_path / "big", ".COMMENT " + "x" * 2**18)
    write(tmp_path / "bomb.dat", ".INCLUDE big\n" * 10)
    with pytest.raises(InputError, match="passes 1 MiB"):
        list(read_unipen(tmp_path / "bomb.dat"))


def test_a_billion_coordinates_are_refused_at_once(tmp_path):
    path = tmp_path / "huge.dat"
    with path.open("wb") as file:  # a sparse file: 4 GB of zero bytes after the first points
        file.write(b".COORD X Y\n.PEN_DOWN\n" + b"1000000000 -1000000000\n" * 1000)
        file.truncate(4 * 10**9)
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(InputError, match="passes 64 MiB"):
        list(read_unipen(path))
    assert time.perf_counter() - start < 5 and tracemalloc.get_traced_memory()[1] < 3 * unipen.MAX_BYTES
    tracemalloc.stop()


def test_coordinates_of_a_billion_are_ink_like_any_other(tmp_path):
    text = '.COORD X Y\n.PEN_DOWN\n1000000000 0\n1000000020 20\n.PEN_UP\n.SEGMENT C 0 ? "1"\n'
    source = load(f"unipen:{write(tmp_path / 'a.dat', text)}")
    assert source.ink is not None
    np.testing.assert_array_equal(source.ink.ends[0, 0], [0, 20, 20, 0])


def test_the_command_names_the_line_and_writes_nothing(tmp_path, capfd):
    path = write(tmp_path / "a.dat", HEAD + ".PEN_DOWN\n1 2 nan\n")
    assert cli.main(["data", "prepare", f"unipen:{path}"]) == 2
    out, err = capfd.readouterr()
    assert out == "" and f"{path}:12: 'nan'" in err and len(err.splitlines()) == 1
