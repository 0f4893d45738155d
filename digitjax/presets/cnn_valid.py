"""Two convolutions with L2 on MNIST alone, chosen on its validation split, reported on its test split.

    digitjax train cnn-valid

422,154 parameters. 4 to 6 min on 2 CPU cores (Intel Xeon, a shared virtual machine, busy), jax 0.12.0,
2026-11-21. Seeds 0, 1 and 2, mean +- standard deviation: 99.57 +- 0.03 % of MNIST's
test split at a loss of 0.012 +- 0.001, 98.99 +- 0.14 % of `bridger`.
"""

from digitjax.config import ModelConfig, OptimConfig, TrainConfig


def config() -> TrainConfig:
    """The configuration of the run."""
    return TrainConfig(
        data=("mnist",),
        epochs=10,
        model=ModelConfig(channels=(32, 64), hidden=(128,), dropout=0.4),
        optim=OptimConfig(label_smoothing=0.0),
    )
