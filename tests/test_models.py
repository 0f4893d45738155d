"""The networks and their fast forms of convolution and pooling, against those of jax.lax."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from digitjax.config import ModelConfig, multiply_adds
from digitjax.convolution import as_product, convolve, patches
from digitjax.errors import InputError
from digitjax.models import count_params, feature_maps, make_model, max_pool
from digitjax.presets.registry import PRESETS, preset

TINY = ModelConfig(channels=(2, 3, 4), hidden=(8,), dropout=0.5, rejects=True)
LAYOUT = ("NHWC", "HWIO", "NHWC")


def normal(seed: int, *shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


@pytest.mark.parametrize(
    ("size", "window", "strides", "padding"),
    [
        ((28, 28), (5, 5), (2, 2), "SAME"),
        ((9, 8), (3, 3), (1, 1), "SAME"),
        ((9, 8), (3, 2), (2, 3), "VALID"),
        ((7, 7), (5, 3), (3, 1), ((2, 1), (0, 2))),
        ((8, 8), (5, 5), (2, 2), "SAME_LOWER"),
    ],
)
@pytest.mark.parametrize(
    ("batch", "channels"),
    [(3, 1), (3, 3), pytest.param(37, 3, marks=pytest.mark.ci), pytest.param(300, 2, marks=pytest.mark.ci)],
)  # 1, 3, 8 pieces
def test_convolution_is_that_of_lax_and_so_is_its_gradient(
    batch, channels, size, window, strides, padding, monkeypatch
):
    monkeypatch.setattr(jax, "device_count", lambda: 1)  # tests have two, where nothing is made in pieces
    images, kernel = normal(0, batch, *size, channels), normal(1, *window, channels, 4)
    options = {"dimension_numbers": lax.conv_dimension_numbers(images.shape, kernel.shape, LAYOUT)}

    def both(convolution):
        result = convolution(images, kernel, strides, padding, **options)
        grads = jax.grad(
            lambda x, k: (convolution(x, k, strides, padding, **options) ** 2).sum(), argnums=(0, 1)
        )(images, kernel)
        return result, *grads

    for ours, theirs in zip(both(convolve), both(lax.conv_general_dilated), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * float(jnp.abs(theirs).max()))


@pytest.mark.parametrize(("batch", "pieces"), [(16, 1), (17, 2), (37, 3), (128, 8), (300, 8)])
def test_a_kernels_gradient_is_made_in_pieces_where_there_is_one_device(batch, pieces, monkeypatch):
    images, kernel = normal(0, batch, 6, 6, 2), normal(1, 3, 3, 2, 4)
    options = {"dimension_numbers": lax.conv_dimension_numbers(images.shape, kernel.shape, LAYOUT)}

    def convolutions():
        gradient = jax.grad(lambda x, k: convolve(x, k, (1, 1), "SAME", **options).sum(), argnums=(0, 1))
        return str(jax.make_jaxpr(gradient)(images, kernel)).count("conv_general_dilated[")

    assert convolutions() == 3  # the answer and two gradients: tests have two devices
    monkeypatch.setattr(jax, "device_count", lambda: 1)
    assert convolutions() == 2 + pieces


@pytest.mark.parametrize(
    "options", [{"rhs_dilation": (2, 2)}, {"feature_group_count": 1, "rhs_dilation": (1, 2)}]
)
def test_convolutions_of_other_kinds_are_not_answered_wrongly(options):
    images, kernel = normal(0, 2, 9, 9, 1), normal(1, 3, 3, 1, 2)
    options |= {"dimension_numbers": lax.conv_dimension_numbers(images.shape, kernel.shape, LAYOUT)}
    expected = lax.conv_general_dilated(images, kernel, (1, 1), "SAME", **options)
    np.testing.assert_allclose(convolve(images, kernel, (1, 1), "SAME", **options), expected, atol=1e-4)


def test_patches_are_the_windows():
    images = normal(0, 2, 6, 5, 2)
    found = patches(images, (3, 2), (2, 1), ((1, 0), (0, 1)))
    padded = np.pad(images, ((0, 0), (1, 0), (0, 1), (0, 0)))
    assert found.shape == (2, 3, 5, 12)
    np.testing.assert_array_equal(found[1, 2, 3], padded[1, 4:7, 3:5].reshape(-1))


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (14, 6)])
def test_pooling_and_its_gradient_are_those_of_reduce_window(size):
    x = normal(0, 2, *size, 3)

    def reference(x):
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    np.testing.assert_array_equal(max_pool(x), reference(x))
    ours, theirs = (jax.grad(lambda x, pool=pool: (pool(x) ** 3).sum())(x) for pool in (max_pool, reference))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_small_and_init_is_what_they_say(name):
    shapes = jax.eval_shape(make_model(preset(name).model).init, jax.random.key(0))
    most = {"cnn-valid": 450_000, "cnn-large": 1_200_000}
    assert count_params(shapes) <= most.get(name, 150_000)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(shapes))


@pytest.mark.parametrize("geometry", ["mnist28", "uci8"])
@pytest.mark.parametrize("rejects", [False, True])
def test_heads_and_geometries(geometry, rejects):
    model = make_model(ModelConfig(channels=(2, 3, 4), hidden=(8,), rejects=rejects, geometry=geometry))
    size = {"mnist28": 28, "uci8": 8}[geometry]
    logits = jax.eval_shape(
        lambda key: model.apply(model.init(key), jnp.zeros((5, size, size, 1))), jax.random.key(0)
    )
    assert model.geometry == geometry
    assert logits.digits.shape == (5, 10)
    assert (logits.is_digit is None) is not rejects
    assert logits.is_digit is None or logits.is_digit.shape == (5,)


@pytest.mark.ci
def test_without_the_border_the_maps_are_of_12_pixels_and_the_last_row_and_column_are_not_seen():
    config = dataclasses.replace(TINY, border=False)
    model, images = make_model(config), normal(0, 2, 28, 28, 1)
    params = model.init(jax.random.key(0))
    maps = feature_maps(config)(params, images)
    assert [layer.shape[1:] for layer in maps.values()] == [(12, 12, 2), (12, 12, 3), (6, 6, 4), (8,)]
    kernel, bias = params["conv0"]["kernel"], params["conv0"]["bias"]
    window = np.asarray(images)[1, 2 * 3 : 2 * 3 + 5, 2 * 7 : 2 * 7 + 5]  # of the map's row 3, column 7
    np.testing.assert_allclose(
        maps["conv0"][1, 3, 7], np.maximum(np.einsum("yxc,yxcf->f", window, kernel) + bias, 0), atol=1e-4
    )
    seen = jax.grad(lambda x: (model.apply(params, x).digits ** 2).sum())(images)[..., 0]
    assert np.abs(seen[:, 27]).max() == np.abs(seen[:, :, 27]).max() == 0 < np.abs(seen[:, 26]).max()


@pytest.mark.ci
def test_stages_say_which_convolutions_see_maps_of_which_size():
    config = dataclasses.replace(TINY, channels=(2, 3, 4, 5, 6), stages=(1, 3, 1))
    maps = feature_maps(config)(make_model(config).init(jax.random.key(0)), normal(0, 1, 28, 28, 1))
    sizes = [(14, 14, 2), (7, 7, 3), (7, 7, 4), (7, 7, 5), (3, 3, 6)]
    assert [layer.shape[1:] for name, layer in maps.items() if name != "hidden"] == sizes


@pytest.mark.ci
def test_a_fine_stem_sees_every_pixel_layers_are_normalised_and_averaged():
    config = dataclasses.replace(TINY, stem="fine", stages=(1, 1, 1), norm="layer", average=True)
    model, images = make_model(config), normal(0, 2, 28, 28, 1)
    params = model.init(jax.random.key(0))
    params["norm0"] = {"scale": jnp.array([2.0, -1.0]), "bias": jnp.array([0.5, 0.25])}
    maps = feature_maps(config)(params, images)
    shapes = [(28, 28, 2), (14, 14, 3), (7, 7, 4), (8,)]
    assert [(name, layer.shape[1:]) for name, layer in maps.items()] == list(
        zip(("conv0", "conv1", "conv2", "hidden"), shapes, strict=True)
    )
    window = np.pad(np.asarray(images)[1, :, :, 0], 1)[3 : 3 + 3, 7 : 7 + 3]  # of row 3, column 7
    layers = jax.tree.map(np.asarray, params)
    place = np.einsum("yx,yxf->f", window, layers["conv0"]["kernel"][:, :, 0]) + layers["conv0"]["bias"]
    normalised = (place - place.mean()) / np.sqrt(place.var() + 1e-6)
    normalised = normalised * layers["norm0"]["scale"] + layers["norm0"]["bias"]
    np.testing.assert_allclose(maps["conv0"][1, 3, 7], np.maximum(normalised, 0), atol=1e-4)
    pooled = np.asarray(maps["conv2"])[:, :6, :6].reshape(2, 3, 2, 3, 2, 4).max(axis=(2, 4))
    hidden = pooled.mean(axis=(1, 2)) @ layers["hidden"]["kernel"] + layers["hidden"]["bias"]
    np.testing.assert_allclose(maps["hidden"], np.maximum(hidden, 0), atol=1e-5)


@pytest.mark.parametrize("name", PRESETS)
def test_multiply_adds_are_as_many_as_xla_counts(name):
    config = preset(name).model
    model = make_model(config, as_product)  # XLA leaves the padding out of what it counts of convolutions
    params = jax.eval_shape(model.init, jax.random.key(0))
    side = {"mnist28": 28, "uci8": 8}[config.geometry]
    images = jax.ShapeDtypeStruct((1, side, side, 1), np.float32)
    counted = jax.jit(model.apply).lower(params, images).cost_analysis()
    assert counted is not None
    assert multiply_adds(config, side) == pytest.approx(counted["flops"] / 2, rel=0.05)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"channels": (1,) * 5}, "at most 4 with --model.stages 2 1 1"),
        ({"channels": (1,) * 4, "geometry": "uci8"}, "at most 3 with --model.stages 2 1 1 and"),
        ({"stages": (2, 0)}, "--model.stages 2 0"),
        ({"stages": (1,) * 4}, "one to three numbers"),
    ],
)
def test_networks_without_room_for_their_convolutions_are_refused(given, named):
    with pytest.raises(InputError, match=named):
        ModelConfig(**given)


def test_without_a_key_the_answer_is_the_same_and_with_keys_it_differs():
    model = make_model(TINY)
    params = model.init(jax.random.key(0))
    apply = jax.jit(model.apply)
    images = normal(0, 4, 28, 28, 1)
    plain = apply(params, images)
    np.testing.assert_array_equal(plain.digits, apply(params, images).digits)
    dropped = [apply(params, images, jax.random.key(seed)).digits for seed in (1, 1, 2)]
    np.testing.assert_array_equal(dropped[0], dropped[1])
    assert np.abs(dropped[0] - dropped[2]).max() > 1e-3
    assert np.abs(dropped[0] - plain.digits).max() > 1e-3


def test_an_example_is_answered_alike_in_any_company():
    model = make_model(TINY)
    params = model.init(jax.random.key(0))
    images = normal(0, 6, 28, 28, 1)
    together = model.apply(params, images).digits
    alone = np.concatenate([model.apply(params, images[i : i + 1]).digits for i in (0, 5)])
    np.testing.assert_allclose(together[np.array([0, 5])], alone, atol=1e-5)


def test_feature_maps_are_what_the_layers_let_through():
    model = make_model(TINY)
    params = model.init(jax.random.key(0))
    images = normal(0, 2, 28, 28, 1)
    maps = feature_maps(TINY)(params, images)
    assert list(maps) == ["conv0", "conv1", "conv2", "hidden"]
    assert all(np.asarray(layer).min() >= 0 for layer in maps.values())
    answered = maps["hidden"] @ params["digits"]["kernel"] + params["digits"]["bias"][None]
    np.testing.assert_allclose(model.apply(params, images).digits, answered, atol=1e-5)


def test_a_perceptron_is_its_matrix_products():
    config = ModelConfig(kind="mlp", hidden=(5, 4), activation="sigmoid", dropout=0.0, geometry="uci8")
    model = make_model(config)
    params = model.init(jax.random.key(0))
    images = normal(3, 2, 8, 8, 1)
    x, layers = np.asarray(images).reshape(2, 64), jax.tree.map(np.asarray, params)
    for name in ("hidden", "hidden1"):
        x = 1 / (1 + np.exp(-(x @ layers[name]["kernel"] + layers[name]["bias"])))
    expected = x @ layers["digits"]["kernel"] + layers["digits"]["bias"]
    np.testing.assert_allclose(model.apply(params, images).digits, expected, rtol=1e-4, atol=1e-5)
    maps = feature_maps(config)(params, images)
    assert list(maps) == ["hidden", "hidden1"]
    np.testing.assert_allclose(maps["hidden1"], x, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "widths"),
    [("mlp-8x8", (64, 32, 10)), ("mlp-28x28", (784, 128, 128, 10)), ("mlp-tiny", (784, 28, 28, 10))],
)
def test_the_perceptrons_have_the_widths_in_their_names(name, widths):
    model = make_model(preset(name).model)
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    kernels = [shapes[name]["kernel"].shape for name in ("hidden", "hidden1", "digits") if name in shapes]
    assert kernels == list(itertools.pairwise(widths))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((28, 28), "float32"), ((2, 28, 28), "float32"), ((2, 32, 32, 1), "float32"), ((2, 28, 28, 1), "uint8")],
)
def test_images_that_would_be_read_wrongly_are_refused(shape, dtype):
    model = make_model(ModelConfig(channels=(2,), hidden=(4,), average=True))
    params = jax.eval_shape(model.init, jax.random.key(0))
    with pytest.raises(ValueError, match=r"this network reads \[batch, 28, 28, 1\], floats from 0"):
        jax.eval_shape(model.apply, params, jax.ShapeDtypeStruct(shape, dtype))
