"""`bench layers`: the layers are those of the network, and the forms that are timed give one answer."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from digitjax import cli
from digitjax.bench.layers import FORMS, _both_ways, layers_of
from digitjax.config import Convolution
from digitjax.models import feature_maps, make_model
from digitjax.presets.registry import preset


@pytest.mark.parametrize("border", [False, True])
@pytest.mark.parametrize("name", ["speedrun", "cnn-large"])
def test_the_layers_are_those_of_the_network(name, border):
    config = preset(name)
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, border=border))
    params = jax.eval_shape(make_model(config.model).init, jax.random.key(0))
    maps = jax.eval_shape(
        feature_maps(config.model), params, jax.ShapeDtypeStruct((1, 28, 28, 1), np.float32)
    )
    for number, layer in enumerate(layers_of(config)):
        kernel = (layer.window, layer.window, layer.channels, layer.features)
        assert params[f"conv{number}"]["kernel"].shape == kernel
        assert maps[f"conv{number}"].shape == (1, layer.out, layer.out, layer.features)


def test_all_forms_give_one_answer_and_the_same_gradients():
    layer = Convolution(7, 2, 3, 3, 2)
    keys = jax.random.split(jax.random.key(0), 3)
    shapes = ((2, 7, 7, 2), (3, 3, 2, 3), (2, layer.out, layer.out, 3))
    given = [jax.random.normal(key, shape) for key, shape in zip(keys, shapes, strict=True)]
    first, *others = (_both_ways(form, layer)(*given) for form in FORMS.values())
    for other in others:
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), first, other)


def test_the_command_prints_a_row_a_layer(capfd):
    words = ["bench", "layers", "--batch-size", "1", "--rounds", "1"]
    assert cli.main([*words, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert [one["layer"][:12] for one in found] == ["28 x 28 x 1 ", "12 x 12 x 8 ", "6 x 6 x 24 t"]
    assert all(set(one["milliseconds"]) == {*FORMS, "products"} for one in found)
    assert found[1]["gflops"] == pytest.approx(6 * 12 * 12 * 9 * 8 * 24 / 1e9)
    assert cli.main(["bench", "layers", "mlp-tiny"]) == 2
    assert "has no convolution" in capfd.readouterr().err
