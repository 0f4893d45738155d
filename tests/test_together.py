"""Members of a sweep at once: each is the run that it would have been alone."""

import dataclasses

import jax
import numpy as np
import pytest

from digitjax import cli, manifest, metrics, runs, sharding, together
from digitjax.checkpoint import load_model, load_state
from digitjax.prepare import fresh_state
from digitjax.presets.registry import preset
from tests.loop.small import ARGUMENTS, CONFIG, lines_without_clock

WORDS = ["sweep", *ARGUMENTS, "--model.no-border", "--over", "optim.lr=1e-3,6e-3", "model.hidden=8,9"]


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """The same sweep in both ways, where accelerators are no accelerators."""
    folders, groups, train = {}, [], together.train
    for name, at_once in (("alone", False), ("together", True)):
        folders[name] = tmp_path_factory.mktemp("sweeps") / name
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sharding.jax, "devices", lambda *a: jax.local_devices()[:1])
            patch.setattr(together, "wanted", lambda _, at_once=at_once: at_once)
            patch.setattr(
                together,
                "train",
                lambda configs, ready: groups.append(len(configs)) or train(configs, ready),
            )
            assert cli.main([*WORDS, "--out", str(folders[name])]) == 0
    assert groups == [2, 2], "each once, though the two widths take turns among the settings"
    return folders


def members(folder):
    return [path for path in sorted(folder.iterdir()) if runs.is_finished(path) and path.name != "ensemble"]


def close(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=5e-3, atol=2e-4)


@pytest.mark.ci
def test_each_member_has_the_steps_lines_and_params_that_it_has_alone(swept):
    pairs = list(zip(members(swept["alone"]), members(swept["together"]), strict=True))
    assert len(pairs) == 4
    for alone, at_once in pairs:
        assert alone.name == at_once.name and runs.read_config(alone) == runs.read_config(at_once)
        kept = [[step.name for step in runs.history(run)] for run in (alone, at_once)]
        assert kept[0] == kept[1] == [str(n) for n in (0, 1, 2, 4, 8, 12, 16, 24)]
        one, other = lines_without_clock(alone), lines_without_clock(at_once)
        assert [line["step"] for line in one] == [line["step"] for line in other]
        close([line["loss"] for line in one], [line["loss"] for line in other])
        close(*(load_model(run / "24").params for run in (alone, at_once)))
        state = fresh_state(runs.read_config(alone))
        close(*(load_state(run / "24", state).opt_state for run in (alone, at_once)))
        assert metrics.read_metrics(at_once / runs.METRICS)[-1]["images_per_second"] is None


@pytest.mark.ci
def test_members_differ_from_each_other(swept):
    biases = [load_model(run / "24").params["digits"]["bias"] for run in members(swept["together"])]
    for place, one in enumerate(biases):
        assert not any(np.allclose(one, other, atol=1e-3) for other in biases[place + 1 :])


@pytest.mark.ci
def test_the_table_is_the_same(swept):
    one, other = (manifest.read_json(folder / runs.SWEEP)["settings"] for folder in swept.values())
    assert [row["members"] for row in one] == [row["members"] for row in other]
    close([row["validation"]["mean"] for row in one], [row["validation"]["mean"] for row in other])


def interrupted(*_):
    raise KeyboardInterrupt


def test_who_stops_the_sweep_is_told_what_is_not_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sharding.jax, "devices", lambda *a: jax.local_devices()[:1])
    monkeypatch.setattr(together, "wanted", lambda _: True)
    monkeypatch.setattr(together, "feeds", interrupted)
    assert cli.main([*WORDS, "--out", str(tmp_path / "sweep")]) == 130
    assert "the 2 members were done; the same command begins them anew" in capsys.readouterr().err
    assert not (tmp_path / "sweep").exists()


def test_fresh_states_of_all_are_those_of_each():
    optims = [dataclasses.replace(CONFIG.optim, learning_rate=rate) for rate in (1e-3, 6e-3)]
    configs = [dataclasses.replace(CONFIG, seed=seed, optim=one) for seed, one in enumerate(optims, 3)]
    found = together.first_states(configs)
    for place, config in enumerate(configs):
        expected, own = fresh_state(config), jax.tree.map(lambda leaf, place=place: leaf[place], found)
        leaves = (jax.tree.leaves(one._replace(key=None)) for one in (own, expected))
        for one, other in zip(*leaves, strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(jax.random.key_data(own.key), jax.random.key_data(expected.key))
    programs = together._fresh_states.cache_info().misses
    together.first_states(configs[::-1])  # another learning rate and seed first
    assert together._fresh_states.cache_info().misses == programs


@pytest.mark.ci
def test_members_that_begin_with_a_checkpoint_have_its_params_and_keys_of_their_own(swept):
    begin = load_model(members(swept["alone"])[0] / "24")
    configs = [
        dataclasses.replace(begin.config, seed=seed, start=str(begin.run / "24"), optim=CONFIG.optim)
        for seed in (3, 4)
    ]
    found = together.first_states(configs)
    keys = jax.random.key_data(found.key)
    for place, config in enumerate(configs):
        jax.tree.map(np.testing.assert_array_equal, together.member_of(found.params, place), begin.params)
        np.testing.assert_array_equal(keys[place], jax.random.key_data(fresh_state(config).key))


def test_networks_that_fill_a_gpu_alone_are_trained_one_after_the_other(monkeypatch):
    monkeypatch.setattr(together.spans, "wanted", lambda: True)
    monkeypatch.setattr(together.jax, "device_count", lambda: 1)
    found = {name: together.wanted(preset(name)) for name in ("speedrun", "cnn", "cnn-shipped", "cnn-large")}
    assert found == {"speedrun": True, "cnn": True, "cnn-shipped": True, "cnn-large": False}


def test_as_many_members_are_taken_as_there_is_memory_for(monkeypatch):
    assert together.most(CONFIG) == together.MEMBERS
    monkeypatch.setattr(together, "HELD_BYTES", 100_000)
    assert 1 <= together.most(CONFIG) < together.MEMBERS
