"""A network for MNIST's record, for a GPU or TPU: six wide convolutions at full resolution, on MNIST alone.

    digitjax train cnn-large

FIGURES
"""

from digitjax.config import AugmentConfig, ModelConfig, OptimConfig, TrainConfig


def config() -> TrainConfig:
    """The configuration of the run."""
    return TrainConfig(
        data=("mnist",),
        epochs=8,
        epoch_examples=550_000,
        batch_size=256,
        precision="bfloat16",
        model=ModelConfig(
            channels=(64, 64, 128, 128, 256, 256),
            stages=(2, 2, 2),
            stem="fine",
            norm="layer",
            average=True,
            hidden=(128,),
            dropout=0.3,
        ),
        optim=OptimConfig(learning_rate=2e-3, warmup=0.1),
        augment=AugmentConfig(rotate=7.0, scale=0.08, shear=0.1, shift=0.8, elastic=0.4),
    )
