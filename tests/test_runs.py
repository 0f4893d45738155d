"""Which step of which run a word after `--checkpoint` means; steps here are nothing but their manifests."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from digitjax import manifest, runs
from digitjax.config import TrainConfig
from digitjax.errors import InputError


def make_run(run: Path, scores: Mapping[int, float], full: tuple[int, ...] = ()) -> Path:
    """A run with a step a score, those of `full` where a full state would be, the others in its history."""
    run.mkdir(parents=True)
    runs.write_config(run, TrainConfig(), data=["digits8x8"])
    for step, score in scores.items():
        for folder in [run / "history", *([run] if step in full else [])]:
            (folder / str(step)).mkdir(parents=True)
            contents, record = ("params",), {"score": score}
            manifest.write(
                folder / str(step), step=step, contents=contents, record=record, config=run / runs.CONFIG
            )
    return run


@pytest.fixture
def run(tmp_path) -> Path:
    return make_run(tmp_path / "cnn-7", {2: 0.9, 3: 0.4, 4: 0.3, 5: 0.5, 6: 0.1}, full=(2, 5, 6))


class TestResolve:
    """What a word after `--checkpoint` means."""

    @pytest.fixture(autouse=True)
    def folder(self, run, monkeypatch) -> Path:
        monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(run.parent))
        return run.parent

    def test_a_run_by_name_or_path(self, run):
        assert runs.resolve("cnn-7") == runs.resolve(str(run)) == run / "history" / "2"

    def test_what_is_written_under_a_dot_is_no_run_yet(self, run):
        make_run(run.parent / ".cnn-7-copy.part", {9: 0.99})
        assert runs.list_runs(run.parent) == [run]
        assert runs.resolve("newest").parent.parent == run

    def test_a_step(self, run):
        assert runs.resolve("cnn-7/5") == run / "5"
        assert runs.resolve("cnn-7/3") == run / "history" / "3"

    def test_the_default_is_the_last_that_finished_then_the_shipped_one(self, run, monkeypatch, tmp_path):
        default = make_run(run.parent / "default", {3: 0.4})
        assert runs.resolve(None) == default / "history" / "3"
        runs.set_latest(run)
        assert runs.resolve(None) == run / "history" / "2"
        shutil.rmtree(run)
        assert runs.resolve(None) == default / "history" / "3"
        shipped = tmp_path / "wheel" / "default"
        shutil.copytree(default, shipped)
        shutil.rmtree(default)
        with pytest.raises(InputError, match="no checkpoint"):
            monkeypatch.setattr(runs, "SHIPPED", (tmp_path / "none",))
            runs.resolve(None)
        monkeypatch.setattr(runs, "SHIPPED", (tmp_path / "none", shipped))
        assert runs.resolve(None) == runs.resolve("default") == shipped / "history" / "3"

    def test_a_clone_s_shipped_one_is_found_from_any_folder(self, monkeypatch, tmp_path):
        monkeypatch.delenv("DIGITJAX_CHECKPOINTS")
        monkeypatch.chdir(tmp_path)
        default = Path(__file__).resolve().parents[1] / "checkpoints" / "default"
        assert runs.run_of(runs.resolve(None)) == runs.run_of(runs.resolve("default")) == default

    def test_latest_cannot_point_out_of_the_folder(self, folder):
        (folder / "latest").write_text("../cnn-7")
        assert runs.latest_run(folder) is None

    def test_newest_is_what_was_published_last(self, run, folder):
        shutil.copytree(run, folder / "other-0")
        os.utime(folder / "other-0" / "history" / "4" / manifest.NAME, (2e9, 2e9))
        assert runs.resolve("newest") == folder / "other-0" / "history" / "4"

    @pytest.mark.parametrize(
        ("text", "named"),
        [("cnn7", "cnn-7"), ("newst", "newest"), ("cnn-7/99", "6"), ("", "newest"), ("what", "cnn-7")],
    )
    def test_near_misses_are_named(self, text, named):
        with pytest.raises(InputError, match=named):
            runs.resolve(text)


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("cnn7", "cnn-7"),
        ("checkpoints/cnn-O", "cnn-7"),
        ("cnn-O/5", "cnn-7"),
        ("other/mine-2", "other/mine-1"),
        ("other/mine-2/12", "other/mine-1"),
        ("my-ru", "my-run"),
        ("{here}/my-ran", "{here}/my-run"),
    ],
)
def test_near_misses_are_found_by_name_beside_the_path_and_in_this_folder(
    run, tmp_path, monkeypatch, typed, named
):
    here = tmp_path / "here"
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(run.parent))
    here.mkdir()
    monkeypatch.chdir(here)
    for place in ("my-run", "other/mine-1"):
        shutil.copytree(run, here / place)
    with pytest.raises(InputError) as raised:
        runs.resolve(typed.format(here=here))
    assert f"did you mean {named.format(here=here)}" in str(raised.value)
