"""Batches: a pure function of the seed and the step, wherever the examples are held.

    seed, step -> indices -> Store.take -> keys, drawing, targets -> Batch

Examples in memory and examples in prepared records differ in nothing but who takes them (`Store`).
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Int8, Key, UInt8

from digitjax.config import AugmentConfig, TrainConfig
from digitjax.data.labels import NOT_A_DIGIT
from digitjax.data.marks import sample_marks
from digitjax.data.nondigits import sample_nondigits
from digitjax.data.synthetic import sample, sample_pens
from digitjax.errors import InputError
from digitjax.ink import bend, cut_off, thin
from digitjax.normalize import PEN_RADIUS, fit_ink, inks_to_images, render
from digitjax.segments import MAX_SEGMENTS
from digitjax.types import Batch, Segments

DATA_KEY = 0x64617461
"""Folded into the seed's key for the batches, so that no batch shares a key with the params or a step."""
ENDLESS = {"synthetic": sample, "nondigits": sample_nondigits, "marks": sample_marks}
"""Sources that draw as many new examples as are wanted."""
NO_DIGITS = ("nondigits", "marks")
"""Those of them that draw no digit."""
LEAST_KEPT = 0.6
"""Least part of its ink that an unfinished drawing has; a digit is seldom known from less."""


class Taken(NamedTuple):
    """Examples as a batch takes them; one of images and ink is None.

    Attributes:
        labels: 0 to 9, or `labels.NOT_A_DIGIT`.
        images: in the model's geometry, 255 ink on 0.
        ink: in the units of the source, all of one number of rows.
    """

    labels: Int8[Array | np.ndarray, " n"]
    images: UInt8[Array | np.ndarray, "n height width 1"] | None = None
    ink: Segments | None = None


class Store(NamedTuple):
    """Who has the examples of a source.

    Attributes:
        n: how many there are.
        take: those with the given indices, 0 to n - 1; pure.
        held: all of them, where they lie on the device.
    """

    n: int
    take: Callable[[Int[np.ndarray, " taken"]], Taken]
    held: Taken | None = None


class Part(NamedTuple):
    """One source of a mix.

    Attributes:
        name: its name in the registry.
        take: its examples in a batch.
        store: who has them; None for one of `ENDLESS`.
    """

    name: str
    take: int
    store: Store | None


class Feed(NamedTuple):
    """What a loop that makes its own batches is told of some steps.

    Attributes:
        base: the seed's key.
        smoothing: of the labels.
        steps: their numbers, from 0.
        indices: which examples of each part they take; None for an endless source.
    """

    base: Key[Array, ""]
    smoothing: Float[np.ndarray, ""] | np.float32
    steps: Int[np.ndarray, " room"]
    indices: list[Int[np.ndarray, "room taken"] | None]


class OnDevice(NamedTuple):
    """Batches for a loop that is compiled as a whole, from examples that lie on the device.

    Attributes:
        held: the examples of each part; None for an endless source.
        indices: which of them some steps take, as in a feed, from the same arguments.
        feed: from a configuration (its seed and label smoothing count), the first step, how many steps, and
            for how many there is room.
        batch_of: the batch of a turn, pure in `held`, the feed and the turn's place in it.
    """

    held: list[Taken | None]
    indices: Callable[[TrainConfig, int, int, int], list[Int[np.ndarray, "room taken"] | None]]
    feed: Callable[[TrainConfig, int, int, int], Feed]
    batch_of: Callable[[list[Taken | None], Feed, Int[Array, ""]], Batch]


Taking = Callable[[int], list[Taken | None]]
"""From a step to what the store of each part gives for it; None for an endless source."""
Assemble = Callable[[Array, Any, Any, list[Taken | None]], Batch]
"""From the seed's key, the label smoothing, a step and what was taken for it to the batch."""


def make_batches(
    parts: Sequence[Part],
    config: TrainConfig,
    geometry: str,
    rows: slice | None = None,
    ahead: Callable[[Taking], Taking] = lambda take: take,
    assemble: Assemble | None = None,
) -> Callable[[int], Batch]:
    """The batch of a step, from 0, as a function that is pure in the seed and the step.

    Args:
        parts: the sources, in the order in which a batch holds them.
        config: seed, batch size, augmentation of ink and label smoothing.
        geometry: of the model.
        rows: which rows of every batch are made here, where each of several processes makes its own and takes
            the examples of those alone; the shares together are, but for rounding, the batch that one process
            makes. None: all.
        ahead: may replace the function that takes a step's examples by an equal one that reads ahead.
        assemble: `make_assemble` of the same arguments, to share what it compiles among several seeds.
    """
    assembled = assemble or make_assemble(parts, config, geometry, rows)
    shares = _divide([part.take for part in parts], rows or slice(0, config.batch_size))
    smoothing = np.float32(config.optim.label_smoothing)
    base = base_key(config.seed)

    def take(step: int) -> list[Taken | None]:
        return [
            None
            if part.store is None or own.start == own.stop
            else part.store.take(indices_at(config.seed, number, step, part.take, part.store.n)[own])
            for number, (part, own) in enumerate(zip(parts, shares, strict=True))
        ]

    taken_at = ahead(take)
    return lambda step: assembled(base, smoothing, np.int32(step), taken_at(step))


def make_on_device(parts: Sequence[Part], assemble: Assemble) -> OnDevice | None:
    """The same batches for a compiled loop; None where a store has its examples elsewhere.

    Args:
        parts: as in `make_batches`.
        assemble: `make_assemble` of the same parts, for whole batches.
    """
    if any(part.store is not None and part.store.held is None for part in parts):
        return None

    def indices(config: TrainConfig, first: int, count: int, room: int) -> list[np.ndarray | None]:
        found: list[np.ndarray | None] = []
        for number, part in enumerate(parts):
            if part.store is None:
                found.append(None)
                continue
            rows = np.zeros((room, part.take), np.int32)
            taken = indices_at(config.seed, number, first, part.take, part.store.n, count)
            rows[:count] = taken.reshape(count, part.take)
            found.append(rows)
        return found

    def feed(config: TrainConfig, first: int, count: int, room: int) -> Feed:
        steps = np.arange(first, first + room, dtype=np.int32)
        smoothing = np.float32(config.optim.label_smoothing)
        return Feed(base_key(config.seed), smoothing, steps, indices(config, first, count, room))

    def batch_of(held: list[Taken | None], feed: Feed, turn: Int[Array, ""]) -> Batch:
        taken = [
            None if rows is None else jax.tree.map(lambda leaf, rows=rows: leaf[rows[turn]], one)
            for one, rows in zip(held, feed.indices, strict=True)
        ]
        return assemble(feed.base, jnp.asarray(feed.smoothing), jnp.asarray(feed.steps)[turn], taken)

    return OnDevice([part.store and part.store.held for part in parts], indices, feed, batch_of)


def base_key(seed: Any) -> Key[Array, ""]:
    """The key from which those of a run's batches are folded; of a traced u32[] as of a number."""
    return jax.random.fold_in(jax.random.key(seed), DATA_KEY)


def make_assemble(
    parts: Sequence[Part], config: TrainConfig, geometry: str, rows: slice | None = None
) -> Assemble:
    """What makes a batch of the examples taken for it, jitted; the same for every seed and label smoothing.

    Args:
        parts: as in `make_batches`.
        config: batch size and augmentation of ink.
        geometry: of the model.
        rows: as in `make_batches`.
    """
    shares = _divide([part.take for part in parts], rows or slice(0, config.batch_size))

    @jax.jit
    def assemble(
        base: Key[Array, ""],
        smoothing: Float[Array, ""],
        step: Int[Array, ""],
        taken: list[Taken | None],
    ) -> Batch:
        images, labels, parts_kept = [], [], []
        for number, (part, own, one) in enumerate(zip(parts, shares, taken, strict=True)):
            if own.start == own.stop:
                continue
            key = jax.random.fold_in(jax.random.fold_in(base, step), number)
            kept = jnp.ones(own.stop - own.start)
            draw = functools.partial(
                _draw_ink, n=part.take, own=own, geometry=geometry, augment=config.augment
            )
            if one is None:
                sample_key, ink_key = jax.random.split(key)
                all_ink, all_labels = ENDLESS[part.name](sample_key, part.take)
                ink, label = jax.tree.map(lambda leaf, own=own: leaf[own], (all_ink, all_labels))
                image, kept = draw(ink_key, ink, bent=False)
            elif one.ink is not None:
                label = jnp.asarray(one.labels, jnp.int32)
                image, kept = draw(key, one.ink, bent=True)
            else:
                label = jnp.asarray(one.labels, jnp.int32)
                image = jnp.asarray(one.images, jnp.float32) / 255
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

    return assemble


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


def padded_rows(most: int) -> int:
    """Rows of ink in a batch whose source has drawings of `most` pieces: a multiple of eight."""
    return min(max(-(-most // 8) * 8, 8), MAX_SEGMENTS)


def indices_at(
    seed: int, part: int, step: int, count: int, n: int, steps: int = 1
) -> Int[np.ndarray, " taken"]:
    """Which of `n` examples a step takes, or several: each once an epoch, in an order of its own every epoch.

    Args:
        seed: of the run.
        part: the source's number.
        step: the first, from 0.
        count: examples that a step takes.
        n: examples that there are.
        steps: how many.

    Returns:
        `steps` times `count` indices.
    """
    place, end = step * count, (step + steps) * count
    found: list[np.ndarray] = []
    while place < end:
        epoch, first = divmod(place, n)
        taken = min(end - place, n - first)
        found.append(_orders(seed, part, n)(epoch)[first : first + taken])
        place += taken
    return np.concatenate(found)


@functools.lru_cache(maxsize=256)  # a few parts of 64 members at once
def _orders(seed: int, part: int, n: int) -> Callable[[int], np.ndarray]:
    """The order of an epoch; the last two of each part are kept, 4 bytes an example each."""

    @functools.lru_cache(maxsize=2)
    def order(epoch: int) -> np.ndarray:
        return np.random.default_rng([seed, part, epoch]).permutation(n).astype(np.int32)

    return order


def _divide(counts: Sequence[int], rows: slice) -> list[slice]:
    """Which examples of each source are among `rows` of a batch that holds one source after the other."""
    ends = np.cumsum(counts).tolist()
    return [
        slice(*(min(max(edge - end + count, 0), count) for edge in (rows.start, rows.stop)))
        for count, end in zip(counts, ends, strict=True)
    ]


def make_targets(
    labels: Int[Array, " n"], smoothing: Float[Array, ""] | float, kept: Float[Array, " n"] | float = 1.0
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
    key: Key[Array, ""],
    ink: Segments,
    *,
    n: int,
    own: slice,
    geometry: str,
    augment: AugmentConfig,
    bent: bool,
) -> tuple[Float[Array, "own height width 1"], Float[Array, " own"]]:
    """Renders the drawings `own` of `n`, each with a pen of its own, and says how much ink was kept."""
    pen_key, bend_key, choice_key, kept_key, thin_key = jax.random.split(key, 5)
    kept = jnp.ones(own.stop - own.start)
    if bent and augment.bend:
        ink = jax.vmap(lambda one_key, one: bend(one_key, one, augment.bend))(
            jax.random.split(bend_key, n)[own], ink
        )
    if bent and augment.resample:
        chance = jax.random.uniform(thin_key, (n,))[own]
        first = (chance < augment.resample / 2).astype(jnp.int32)  # either half of the points, as often
        ink = jax.vmap(
            lambda one, row, on: jax.tree.map(lambda new, old: jnp.where(on, new, old), thin(one, row), one)
        )(ink, first, chance < augment.resample)
    if augment.unfinished:
        chosen = jax.random.uniform(choice_key, (n,))[own] < augment.unfinished
        kept = jnp.where(chosen, jax.random.uniform(kept_key, (n,), minval=LEAST_KEPT)[own], 1.0)
        ink = jax.vmap(cut_off)(ink, kept)
    if geometry != "mnist28":
        return inks_to_images(ink, geometry), kept
    radii = sample_pens(pen_key, n)[own]
    if augment.pens != 1:
        radii = PEN_RADIUS * (radii / PEN_RADIUS) ** augment.pens
    return jax.vmap(lambda one, radius: render(fit_ink(one, radius), radius))(ink, radii)[..., None], kept
