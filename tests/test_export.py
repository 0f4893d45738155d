"""An exported network answers as it did where there is no digitjax; and the train step lowers for a TPU."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

from digitjax import cli, convolution, manifest
from digitjax.checkpoint import load_model
from digitjax.config import ModelConfig, TrainConfig
from digitjax.export import PLATFORMS
from digitjax.models import make_model
from digitjax.optim import make_optimizer
from digitjax.predict import drawings_to_images, predict
from digitjax.segments import pack_all
from digitjax.strokes import Drawing
from digitjax.train import init_state, make_train_step
from digitjax.types import Batch

REPO = Path(__file__).resolve().parents[1]
ELSEWHERE = """
import sys
class Nothing:
    def find_spec(self, name, *rest):
        if name.partition(".")[0] in ("digitjax", "play", "flax", "optax", "orbax"):
            raise ImportError(name)
sys.meta_path.insert(0, Nothing())
import jax.export
import jax.numpy as jnp
import numpy as np
given = np.load("given.npz")
for source, names in (("ink", ("ends", "mask")), ("pixels", ("images",))):
    exported = jax.export.deserialize(bytearray(open(source + ".stablehlo", "rb").read()))
    assert exported.platforms == ("cpu", "cuda", "tpu"), exported.platforms
    for count in (1, len(given["mask"])):
        found = exported.call(*(given[name][:count] for name in names))
    np.savez(source, *found)
assert not any(name.partition(".")[0] in ("digitjax", "flax") for name in sys.modules)
"""


@pytest.fixture(scope="module")
def drawings() -> list[Drawing]:
    """Lines, a dot, and nothing."""
    rng = np.random.default_rng(0)
    some = [Drawing((rng.uniform(0, 90, (6, 2)), rng.uniform(0, 90, (3, 2))), None, None) for _ in range(5)]
    return [*some, Drawing((np.full((1, 2), 7.0),), None, None), Drawing((), None, None)]


def test_a_process_without_digitjax_gives_the_same_answers(tmp_path, drawings, capfd):
    for source in ("ink", "pixels"):
        words = ["--checkpoint", "default", "--out", str(tmp_path / f"{source}.stablehlo"), "--from", source]
        assert cli.main(["export", *words]) == 0
    out, said = capfd.readouterr()
    assert out == "" and "cpu, cuda, tpu" in said and "[batch, 128, 4]" in said
    loaded = load_model("default")
    images = np.stack(list(drawings_to_images(drawings, loaded.model.geometry)))
    ink = pack_all(drawings)
    np.savez(tmp_path / "given", ends=ink.ends, mask=ink.mask, images=images)
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE], cwd=tmp_path, env=os.environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    expected = predict(loaded.model, loaded.params, images)
    for source in ("ink", "pixels"):
        probabilities, is_digit = np.load(tmp_path / f"{source}.npz").values()
        np.testing.assert_allclose(probabilities, [e.probabilities for e in expected], atol=1e-5)
        np.testing.assert_allclose(is_digit, np.array([e.is_digit for e in expected], float), atol=1e-5)


@pytest.mark.parametrize("out", ["nowhere/a.stablehlo", "."])
def test_a_place_that_cannot_be_is_named(tmp_path, monkeypatch, capfd, out):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["export", "--checkpoint", "default", "--out", out]) == 2
    assert f"--out {out}" in capfd.readouterr().err and list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a named pipe")
def test_a_pipe_and_a_file_beside_it_stay(tmp_path, monkeypatch, capfd):
    os.mkfifo(tmp_path / "pipe")
    assert cli.main(["export", "--checkpoint", "default", "--out", str(tmp_path / "pipe")]) == 2
    assert "is a device or a pipe" in capfd.readouterr().err and (tmp_path / "pipe").is_fifo()
    (tmp_path / "net.part").write_text("mine")
    manifest.write_bytes(tmp_path / "net", b"new")
    assert (tmp_path / "net").read_bytes() == b"new" and (tmp_path / "net.part").read_text() == "mine"
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space"):
        manifest.write_bytes(tmp_path / "net", b"newer")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net", "net.part", "pipe"]


@pytest.mark.parametrize("kind", ["cnn", "mlp"])
def test_the_train_step_lowers_for_a_tpu_with_the_stock_convolution(monkeypatch, kind):
    monkeypatch.setattr(convolution.jax, "default_backend", lambda: "tpu")
    config = TrainConfig(batch_size=8, epoch_examples=8, model=ModelConfig(kind=kind, channels=(8, 8)))
    model, tx = make_model(config.model), make_optimizer(config)
    state = jax.eval_shape(lambda: init_state(jax.random.key(0), model, tx))
    batch = Batch(*(jnp.zeros(shape) for shape in ((8, 28, 28, 1), (8, 10), (8,), (8,))))
    step: Any = make_train_step(config)
    lowered = jax.export.export(step, platforms=["tpu"])(state, batch)
    assert lowered.platforms == ("tpu",) and "tpu" in PLATFORMS
    text = lowered.mlir_module()
    assert ("stablehlo.convolution" in text) == (kind == "cnn")
