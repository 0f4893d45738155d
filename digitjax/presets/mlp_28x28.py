"""784-128-128-10, the perceptron of many a first course.

    digitjax train mlp-28x28

118,282 parameters. 46 to 48 s on 2 CPU cores (AMD EPYC, a shared virtual machine, busy; 28 s on a Xeon),
jax 0.12.0, 2026-11-25. Seeds 0, 1 and 2, mean +- standard deviation: 99.01 +- 0.09 % of MNIST's test split,
97.89 +- 0.31 % of `bridger`. A program of this shape claims 97 % of the former.
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
