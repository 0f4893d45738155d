"""A small convolutional network for MNIST-shaped images; what `make train` trains.

    digitjax train cnn

It learns from MNIST and, one example in ten, synthetic handwriting; without MNIST, from what comes with the
program. 140,282 parameters. 2 min 30 s on 2 CPU cores of an Intel Xeon (2026-11-21), 3 min 11 s of a busy
AMD EPYC (2026-11-25), shared virtual machines, jax 0.12.0. Seeds 0, 1 and 2 on the EPYC, mean +- standard
deviation: 99.57 +- 0.04 % of MNIST's test split, 99.23 +- 0.07 % of `bridger`.
"""

from digitjax.config import ModelConfig, TrainConfig


def config() -> TrainConfig:
    """The configuration of the run."""
    return TrainConfig(model=ModelConfig(border=False))
