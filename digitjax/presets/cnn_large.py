"""A network for MNIST's record, for a GPU or TPU: four wide convolutions on MNIST alone.

    digitjax train cnn-large

1,029,130 parameters, 6,000,000 examples. Not trained yet, as no accelerator could be had: no figures.
"""

from digitjax.config import AugmentConfig, ModelConfig, OptimConfig, TrainConfig


def config() -> TrainConfig:
    """The configuration of the run."""
    return TrainConfig(
        data=("mnist",),
        epochs=100,
        batch_size=256,
        model=ModelConfig(channels=(64, 128, 256, 256), hidden=(256,), dropout=0.4),
        optim=OptimConfig(learning_rate=4e-3),
        augment=AugmentConfig(rotate=10.0, scale=0.1, shear=0.15, shift=1.0, elastic=0.6, pen=0.2),
    )
