"""Why, against models whose explanation is known, and the layers against a convolution written down anew."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal

from digitjax.config import ModelConfig
from digitjax.models import feature_maps, make_model
from digitjax.segments import pack
from digitjax.types import Logits, Model
from play import explain
from play.classify import explanation_of
from play.reader import make_reader, reading
from play.wire import pack as to_bytes
from play.wire import unpack

CONFIG = ModelConfig(channels=(3, 4), hidden=(8,), rejects=True)
STROKES = [
    np.array([[0.0, 0.0], [10.0, 300.0]]),
    np.array([[200.0, 0.0], [210.0, 400.0]]),
    np.array([[0.0, 150.0]]),
]


@pytest.fixture(scope="module")
def network():
    model = make_model(CONFIG)
    return model, model.init(jax.random.key(3)), make_reader(model, CONFIG)


@pytest.fixture(scope="module")
def found(network):
    _, params, reader = network
    packed = pack(STROKES)
    image = reading(np.asarray(reader.read(params, packed.ends, packed.mask)), 28).image
    digit = np.eye(10, dtype=np.float32)[7]
    ends, mask, count = explain.without_each(STROKES)
    assert count == 3
    return image, reader.explain(params, image, digit, ends, mask)


def test_attribution_of_a_linear_network_is_weight_times_ink():
    weights = jax.random.normal(jax.random.key(0), (784, 10))

    def apply(params, images, key=None):
        return Logits(images.reshape(len(images), -1) @ params)

    model = Model(lambda key: weights, apply, "mnist28")
    image = jax.random.uniform(jax.random.key(1), (28, 28))
    heat = explain.attribution(model, weights, image, jnp.eye(10)[4])
    expected = np.asarray(image).ravel() * np.asarray(weights[:, 4] - weights.mean(axis=1))
    np.testing.assert_allclose(np.asarray(heat).ravel(), expected, rtol=1e-4, atol=1e-5)


def test_attribution_adds_up_to_what_the_ink_changed(network, found):
    model, params, _ = network
    image, why = found
    logits = model.apply(params, jnp.stack([jnp.asarray(image), jnp.zeros((28, 28))])[..., None]).digits
    scores = logits[:, 7] - logits.mean(axis=1)
    assert float(np.asarray(why.heat).sum()) == pytest.approx(float(scores[0] - scores[1]), abs=0.02)
    assert (np.asarray(why.heat)[image == 0] == 0).all()


def test_without_a_stroke_is_what_is_read_without_it(network, found):
    _, params, reader = network
    for i, row in enumerate(np.asarray(found[1].without)[:3]):
        packed = pack([*STROKES[:i], *STROKES[i + 1 :]])
        vector = np.asarray(reader.read(params, packed.ends, packed.mask))
        np.testing.assert_allclose(row, vector[:11], atol=1e-5)
    assert explain.without_each(STROKES[:1])[2] == 0
    assert explain.without_each([*STROKES] * 5)[2] == explain.STROKES


def test_layers_are_what_the_convolutions_let_through(network, found):
    _, params, _ = network
    image, why = found
    assert list(why.layers) == ["conv0", "conv1", "hidden"]
    shapes = {name: maps.shape for name, maps in why.layers.items()}
    assert shapes == {"conv0": (3, 14, 14), "conv1": (4, 14, 14), "hidden": (1, 1, 8)}
    kernel, bias = np.asarray(params["conv0"]["kernel"]), np.asarray(params["conv0"]["bias"])
    maps = feature_maps(CONFIG)(params, jnp.asarray(image)[None, :, :, None])["conv0"][0]
    padded = np.pad(image, 2)
    for channel in range(3):
        whole = scipy.signal.correlate2d(padded, kernel[:, :, 0, channel], "valid") + bias[channel]
        ours = np.asarray(maps[:, :, channel])
        # "SAME" with stride 2 on 28 pixels pads one pixel before and two after.
        expected = np.maximum(0, whole[1::2, 1::2])
        np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_an_explanation_crosses_the_pipe(found):
    _, why = found
    header = {"revision": 5, "digit": 7, "layers": list(why.layers)}
    arrays = [
        np.asarray(why.heat),
        np.asarray(why.without)[:2],
        *(np.asarray(m) for m in why.layers.values()),
    ]
    event = explanation_of(*_split(unpack(to_bytes(header, *arrays))))
    assert (event.revision, event.digit, event.side, len(event.without)) == (5, 7, 28, 2)
    assert max(abs(value) for value in event.heat) == pytest.approx(1)
    layer = event.layers[1]
    assert (layer.name, layer.maps, layer.height, layer.width) == ("conv1", 4, 14, 14)
    assert layer.pixels == np.asarray(why.layers["conv1"]).tobytes() and max(layer.pixels) == 255


def _split(message):
    header, arrays = message
    return header, *arrays


def test_a_stroke_that_goes_is_judged_by_the_threshold(found):
    _, why = found
    rows = np.array(why.without[:3])
    header = {"revision": 3, "digit": 7, "layers": []}
    for is_digit, refused in ((0.49, True), (0.5, False), (np.nan, False)):
        rows[:, 10] = is_digit
        event = explanation_of(header, np.asarray(why.heat), rows)
        assert [row[0] == "not a digit" for row in event.without] == [refused] * 3
