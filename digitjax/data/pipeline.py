"""From data specs to batches: a batch is a pure function of the seed and the step.

Every source yields ink or pixels; the model's geometry is applied last. What fits in memory stays on
the device; synthetic handwriting is made there.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from digitjax.config import AugmentConfig, TrainConfig
from digitjax.data import DataUnavailable, EmptySplit, load, parse_spec, unavailable
from digitjax.data.labels import AMBIGUOUS, NOT_A_DIGIT
from digitjax.data.nondigits import sample_nondigits
from digitjax.data.spec import Source, Spec
from digitjax.data.synthetic import sample, sample_pens
from digitjax.errors import InputError
from digitjax.ink import bend, cut_off
from digitjax.normalize import fit_ink, geometry_shape, inks_to_images, render
from digitjax.pixels import pictures_to_images
from digitjax.types import Batch, Segments

DATA_KEY = 0x64617461
"""Folded into the seed's key for the batches, so that no batch shares a key with the params or a step."""
WITH_MNIST = ("mnist=9", "synthetic=1")
"""What is trained on where MNIST can be had and nothing else is asked for."""
EMBEDDED = ("synthetic=15", "digits8x8=1")
"""What is trained on where MNIST cannot be had."""
RENDER_AT_ONCE = 512
"""Drawings rendered in one call where a whole data set is."""
ENDLESS = {"synthetic": sample, "nondigits": sample_nondigits}
"""Sources that draw as many new examples as are wanted."""
LEAST_KEPT = 0.6
"""Least part of its ink that an unfinished drawing has; a digit is seldom known from less."""
VALIDATION_EXAMPLES = 5000
"""Examples of a source that a validation takes at most."""


class Examples(NamedTuple):
    """Labelled images in the geometry of a model.

    Attributes:
        name: the spec's text, without weight.
        images: uint8, [n, height, width, 1], 255 ink on 0.
        labels: int8, 0 to 9, or `labels.NOT_A_DIGIT`.
        words: what each shows.
        writers: who drew each, where known.
        skipped: examples without a label, left out.
        ids: what tells each apart by its ink or pixels, uint64, where known.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    words: tuple[str, ...]
    writers: tuple[str | None, ...] | None = None
    skipped: int = 0
    ids: np.ndarray | None = None


class Pipeline(NamedTuple):
    """What a run learns from.

    Attributes:
        batch_at: the batch of a step; pure in the seed and the step.
        validation: the same sources' validation splits.
        specs: the specs that are trained on, the defaults filled in.
        notices: sentences that the user should read before training starts.
    """

    batch_at: Callable[[int], Batch]
    validation: tuple[Examples, ...]
    specs: tuple[str, ...]
    notices: tuple[str, ...]


class Part(NamedTuple):
    """One source of a mix: resident images, resident ink, or neither for one of `ENDLESS`."""

    name: str
    take: int
    images: np.ndarray | None
    ink: Segments | None
    labels: np.ndarray | None


def to_examples(source: Source, geometry: str) -> Examples:
    """Applies the geometry of a model to what a source yields, ink or pixels."""
    if source.ink is not None:
        images = _render_all(source.ink, geometry)
    else:
        assert source.images is not None
        images = pictures_to_images(source.images, geometry)
    return Examples(
        source.name, images, source.labels, source.words, source.writers, source.skipped, source.ids
    )


@functools.lru_cache(maxsize=4)
def _renderer(geometry: str) -> Callable[[Segments], Array]:
    return jax.jit(lambda ink: jnp.round(inks_to_images(ink, geometry) * 255).astype(jnp.uint8))


def _render_all(ink: Segments, geometry: str) -> np.ndarray:
    ink = trim(ink)
    n, shape = len(ink.mask), geometry_shape(geometry)
    images = np.empty((n, shape.height, shape.width, 1), np.uint8)
    for start in range(0, n, RENDER_AT_ONCE):
        part = [np.asarray(a[start : start + RENDER_AT_ONCE]) for a in ink]
        missing = RENDER_AT_ONCE - len(part[0])
        part = [np.pad(a, ((0, missing),) + ((0, 0),) * (a.ndim - 1)) for a in part]
        images[start : start + RENDER_AT_ONCE] = _renderer(geometry)(Segments(*part))[: n - start]
    return images


def trim(ink: Segments) -> Segments:
    """Leaves out the rows that are padding in every drawing; a multiple of eight rows stays."""
    used = np.asarray(ink.mask).any(axis=0)
    last = int(np.flatnonzero(used)[-1]) + 1 if used.any() else 1
    rows = min(-(-last // 8) * 8, used.size)
    return Segments(np.asarray(ink.ends)[:, :rows], np.asarray(ink.mask)[:, :rows])


def choose_specs(texts: Sequence[str]) -> tuple[tuple[Spec, ...], tuple[str, ...]]:
    """The specs of `texts`; without any, MNIST with synthetic handwriting, or the embedded data.

    Returns:
        The specs, and sentences for the user.

    Raises:
        InputError: a text is no spec.
    """
    if texts:
        return tuple(parse_spec(text) for text in texts), ()
    reason = unavailable("mnist")
    return (tuple(map(parse_spec, WITH_MNIST)), ()) if reason is None else _embedded(reason)


def _embedded(reason: str) -> tuple[tuple[Spec, ...], tuple[str, ...]]:
    notice = (
        f"no MNIST ({reason}): training on what comes with the program, synthetic handwriting and "
        "the UCI digits; set DIGITJAX_MNIST_DIR to a folder with the four IDX files to train on MNIST"
    )
    return tuple(map(parse_spec, EMBEDDED)), (notice,)


def share(weights: Sequence[float], batch_size: int) -> list[int]:
    """Examples of each source in a batch: in proportion to the weights, by largest remainder.

    Raises:
        InputError: a source would get none.
    """
    relative = np.asarray(weights) / max(weights)  # their sum need not be a number
    exact = relative / relative.sum() * batch_size
    counts = np.floor(exact).astype(int)
    for index in np.argsort(counts - exact, kind="stable")[: batch_size - counts.sum()]:
        counts[index] += 1
    if (counts == 0).any():
        raise InputError(
            f"a batch of {batch_size} has no room for every source with weights "
            f"{', '.join(f'{weight:g}' for weight in weights)}: raise --batch-size or the small weights"
        )
    return counts.tolist()


def _divide(counts: Sequence[int], rows: slice) -> list[slice]:
    """Which examples of each source are among `rows` of a batch that holds one source after the other."""
    ends = np.cumsum(counts)
    return [
        slice(*np.clip([rows.start - end + count, rows.stop - end + count], 0, count).tolist())
        for count, end in zip(counts, ends.tolist(), strict=True)
    ]


def indices_at(seed: int, part: int, step: int, count: int, n: int) -> Int[np.ndarray, " count"]:
    """Which of `n` examples a step takes: each once an epoch, in an order of its own every epoch."""
    positions = step * count + np.arange(count, dtype=np.int64)
    epochs = positions // n
    indices = np.empty(count, np.int32)
    for epoch in np.unique(epochs):
        here = epochs == epoch
        indices[here] = _order(seed, part, int(epoch), n)[positions[here] % n]
    return indices


@functools.lru_cache(maxsize=16)
def _order(seed: int, part: int, epoch: int, n: int) -> np.ndarray:
    return np.random.default_rng([seed, part, epoch]).permutation(n).astype(np.int32)


def make_targets(
    labels: Int[Array, " n"], smoothing: float, kept: Float[Array, " n"] | float = 1.0
) -> Float[Array, "n 10"]:
    """Probabilities of the ten digits; what is no digit gets a tenth each.

    Args:
        labels: 0 to 9, or `NOT_A_DIGIT`.
        smoothing: probability spread evenly over all ten.
        kept: how much of each drawing's ink is there; where it is 0.6, half of the probability is spread.
    """
    known = 1 - (1 - jnp.broadcast_to(kept, labels.shape)) * 0.5 / (1 - LEAST_KEPT)
    spread = (1 - (1 - smoothing) * known)[:, None]
    target = jax.nn.one_hot(labels, 10) * (1 - spread) + spread / 10
    return jnp.where((labels < 10)[:, None], target, 0.1)


def _draw_ink(
    key: Key[Array, ""], ink: Segments, geometry: str, augment: AugmentConfig, rows: slice, *, bent: bool
) -> tuple[Float[Array, "drawn height width 1"], Float[Array, " drawn"]]:
    """Renders `rows` of a batch of ink, each with a pen of its own, and says how much of it was kept."""
    n = ink.mask.shape[0]
    pen_key, bend_key, choice_key, kept_key = jax.random.split(key, 4)
    kept = jnp.ones(n)
    if bent and augment.bend:
        ink = jax.vmap(lambda one_key, one: bend(one_key, one, augment.bend))(
            jax.random.split(bend_key, n), ink
        )
    if augment.unfinished:
        chosen = jax.random.uniform(choice_key, (n,)) < augment.unfinished
        kept = jnp.where(chosen, jax.random.uniform(kept_key, (n,), minval=LEAST_KEPT), 1.0)
        ink = jax.vmap(cut_off)(ink, kept)
    ink, kept = jax.tree.map(lambda leaf: leaf[rows], (ink, kept))
    if geometry != "mnist28":
        return inks_to_images(ink, geometry), kept
    radii = sample_pens(pen_key, n)[rows]
    return jax.vmap(lambda one, radius: render(fit_ink(one, radius), radius))(ink, radii)[..., None], kept


def make_pipeline(config: TrainConfig, geometry: str, rows: slice | None = None) -> Pipeline:
    """Loads what `config.data` names (or the default) and makes its batches.

    Args:
        config: data, seed, batch size and augmentation.
        geometry: of the model.
        rows: which rows of every batch are made here, where each of several processes makes its own; the
            shares together are the batch that one process makes. None for all.

    Raises:
        InputError: a spec is wrong, or its data cannot be had.
    """
    specs, notices = choose_specs(config.data)
    try:
        sources = _load_training(specs)
    except DataUnavailable as error:
        if config.data:
            raise
        specs, notices = _embedded(str(error))
        sources = _load_training(specs)
    counts = share([spec.weight for spec in specs], config.batch_size)
    parts, more = [], []
    for spec, source, count in zip(specs, sources, counts, strict=True):
        part, notice = _make_part(spec, source, count, geometry, keep_others=config.model.rejects)
        parts.append(part)
        more.extend(notice)
    validation, missing = _load_validation(specs, geometry)
    more.extend(missing)
    shares = _divide(counts, rows or slice(0, config.batch_size))
    smoothing = config.optim.label_smoothing
    base = jax.random.fold_in(jax.random.key(config.seed), DATA_KEY)
    resident = [
        None if part.labels is None else jax.device_put((part.images, part.ink, part.labels))
        for part in parts
    ]

    @jax.jit
    def gather(step: Int[Array, ""], indices: list, resident: list) -> Batch:
        images, labels, parts_kept = [], [], []
        for number, (part, own, index, arrays) in enumerate(
            zip(parts, shares, indices, resident, strict=True)
        ):
            if own.start == own.stop:
                continue
            key = jax.random.fold_in(jax.random.fold_in(base, step), number)
            kept = jnp.ones(own.stop - own.start)
            if arrays is None:
                sample_key, ink_key = jax.random.split(key)
                ink, label = ENDLESS[part.name](sample_key, part.take)
                image, kept = _draw_ink(ink_key, ink, geometry, config.augment, own, bent=False)
                label = label[own]
            else:
                all_images, all_ink, all_labels = arrays
                label = all_labels[index[own]].astype(jnp.int32)
                if all_ink is None:
                    image = all_images[index[own]].astype(jnp.float32) / 255
                else:
                    ink = jax.tree.map(lambda leaf, index=index: leaf[index], all_ink)
                    image, kept = _draw_ink(key, ink, geometry, config.augment, own, bent=True)
            images.append(image)
            labels.append(label)
            parts_kept.append(kept)
        label = jnp.concatenate(labels)
        is_digit = (label < NOT_A_DIGIT).astype(jnp.float32)
        return Batch(
            jnp.concatenate(images),
            make_targets(label, smoothing, jnp.concatenate(parts_kept)),
            is_digit,
            jnp.ones(label.shape, jnp.float32),
        )

    def batch_at(step: int) -> Batch:
        indices = [
            None
            if part.labels is None
            else indices_at(config.seed, number, step, part.take, len(part.labels))
            for number, part in enumerate(parts)
        ]
        return gather(np.int32(step), indices, resident)

    return Pipeline(batch_at, validation, tuple(map(str, specs)), (*notices, *more))


def _load_validation(specs: Sequence[Spec], geometry: str) -> tuple[tuple[Examples, ...], list[str]]:
    """The validation splits that are not empty; synthetic handwriting where all of them are."""
    found, notices = [], []
    for spec in specs:
        wanted = spec._replace(split="validation", weight=1.0)
        try:
            found.append(_validation(to_examples(load(wanted), geometry)))
        except EmptySplit:
            notices.append(f"{wanted} is empty, as where few writers drew it: it is not validated on")
    if not found:
        notices.append("no source has a validation split: validating on synthetic@validation")
        found.append(_validation(to_examples(load("synthetic@validation"), geometry)))
    return tuple(found), notices


def _load_training(specs: Sequence[Spec]) -> list[Source | None]:
    return [None if _is_endless(spec) else load(spec, "train") for spec in specs]


def _is_endless(spec: Spec) -> bool:
    return spec.name in ENDLESS and spec.split in (None, "train")


def _make_part(
    spec: Spec, source: Source | None, count: int, geometry: str, *, keep_others: bool
) -> tuple[Part, list[str]]:
    if source is None:
        if spec.name == "nondigits" and not keep_others:
            raise InputError(f"{spec} holds no digit to train on: add --model.rejects, or choose other data")
        return Part(spec.name, count, None, None, None), []
    digits = source.labels < NOT_A_DIGIT
    neither = np.array([word in AMBIGUOUS for word in source.words], bool) & ~digits
    keep = digits | ~neither if keep_others else digits
    notices = []
    if keep_others and neither.any():
        notices.append(f"{spec}: {neither.sum()} letters that look like digits, or fragments, are left out")
    elif not keep.all():
        notices.append(
            f"{spec}: {(~keep).sum()} drawings are no digits and left out: the network has no head for them"
        )
    if not keep.any():
        raise InputError(f"{spec} holds no digit to train on: choose other data")
    labels = source.labels[keep]
    if source.ink is not None:
        ink = trim(Segments(np.asarray(source.ink.ends)[keep], np.asarray(source.ink.mask)[keep]))
        return Part(spec.name, count, None, ink, labels), notices
    images = to_examples(source, geometry).images[keep]
    return Part(spec.name, count, images, None, labels), notices


def _validation(examples: Examples) -> Examples:
    """At most `VALIDATION_EXAMPLES` of the examples, evenly spread."""
    n = len(examples.labels)
    if n <= VALIDATION_EXAMPLES:
        return examples
    take = np.linspace(0, n - 1, VALIDATION_EXAMPLES).astype(int)
    return examples._replace(
        images=examples.images[take],
        labels=examples.labels[take],
        words=tuple(examples.words[i] for i in take),
        writers=None if examples.writers is None else tuple(examples.writers[i] for i in take),
        ids=None if examples.ids is None else examples.ids[take],
    )
