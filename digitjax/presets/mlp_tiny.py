"""784-28-28-10 with sigmoids; `--model.hidden 28 28` takes any number and width of layers.

    digitjax train mlp-tiny

23,082 parameters. 24 s on 2 CPU cores (Intel Xeon, a shared virtual machine, busy), jax 0.12.0,
2026-11-21. Seeds 0, 1 and 2, mean +- standard deviation: 96.65 +- 0.13 % of MNIST's
test split, 94.20 +- 0.63 % of `bridger`.
"""

from digitjax.config import AugmentConfig, ModelConfig, OptimConfig, TrainConfig


def config() -> TrainConfig:
    """The configuration of the run."""
    return TrainConfig(
        data=("mnist",),
        epochs=20,
        model=ModelConfig(kind="mlp", hidden=(28, 28), activation="sigmoid", dropout=0.0),
        optim=OptimConfig(learning_rate=1e-2, weight_decay=0.0, label_smoothing=0.0),
        augment=AugmentConfig(rotate=2.0, scale=0.02, shear=0.03, shift=0.2),
    )
