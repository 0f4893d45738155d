"""784-128-128-10, the perceptron of many a first course.

    digitjax train mlp-28x28

118,282 parameters. 28 s on 2 CPU cores (Intel Xeon, a shared virtual machine, busy), jax 0.12.0,
2026-11-21. Seeds 0, 1 and 2, mean +- standard deviation: 98.97 +- 0.08 % of MNIST's
test split, 97.85 +- 0.25 % of `bridger`.
"""

from digitjax.config import AugmentConfig, ModelConfig, OptimConfig, TrainConfig


def config() -> TrainConfig:
    """The configuration of the run."""
    return TrainConfig(
        data=("mnist",),
        epochs=20,
        model=ModelConfig(kind="mlp", hidden=(128, 128), dropout=0.1),
        optim=OptimConfig(learning_rate=3e-3),
        augment=AugmentConfig(rotate=4.0, scale=0.05, shear=0.08, shift=0.5),
    )
