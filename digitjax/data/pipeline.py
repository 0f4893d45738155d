"""From data specs to batches and validation sets.

Every source yields ink or pixels; the model's geometry is applied last. What fits in memory stays on
the device, or is streamed from prepared records; synthetic handwriting is made on the device.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from os.path import realpath
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from digitjax.config import TrainConfig
from digitjax.data import DataUnavailable, EmptySplit, load, parse_spec, unavailable
from digitjax.data.audit import findings
from digitjax.data.audit import shipped as shipped_audit
from digitjax.data.batches import (
    ENDLESS,
    NO_DIGITS,
    OnDevice,
    Part,
    Store,
    Taken,
    make_assemble,
    make_batches,
    make_on_device,
    padded_rows,
    share,
)
from digitjax.data.labels import AMBIGUOUS, NOT_A_DIGIT
from digitjax.data.records import UNLABELLED, Records, require_stream
from digitjax.data.sources import WHY_EMPTY, open_records
from digitjax.data.spec import Source, Spec
from digitjax.data.streamed import read_ahead, sources, store
from digitjax.errors import InputError, counted
from digitjax.normalize import geometry_shape, inks_to_images
from digitjax.pixels import pictures_to_images
from digitjax.types import Batch, Segments

WITH_MNIST = {False: ("mnist=9", "synthetic=1"), True: ("mnist=8", "synthetic=1", "nondigits=1")}
"""What is trained on where MNIST can be had and nothing else is asked for, by whether the network is to know
what is no digit (`--model.rejects`)."""
EMBEDDED = {False: ("synthetic=15", "digits8x8=1"), True: ("synthetic=15", "digits8x8=1", "nondigits=2")}
"""The same where MNIST cannot be had."""
UNFINISHED = 0.1
"""Fraction of the drawings that are cut off where exactly that is learnt, with what is no digit, and the
configuration does not say: half as many unfinished digits are called none (README)."""
RENDER_AT_ONCE = 512
"""Drawings rendered in one call where a whole data set is."""
VALIDATION_EXAMPLES = 5000
"""Examples of a source that a validation takes at most."""


class Examples(NamedTuple):
    """Labelled images in the geometry of a model.

    Attributes:
        name: the spec's text, without weight.
        images: uint8, [n, height, width, 1], 255 ink on 0.
        labels: int8, 0 to 9, or `labels.NOT_A_DIGIT`.
        words: what each shows; none where that is not known.
        writers: who drew each, where known.
        skipped: examples without a label, left out.
        ids: what tells each apart by its ink or pixels, uint64, where known.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    words: tuple[str, ...] = ()
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
        reseeded: `batch_at` of a configuration that differs in its seed and label smoothing alone; nothing is
            loaded or compiled anew.
        on_device: the same batches for a compiled loop; None where they are streamed, or made in part here.
    """

    batch_at: Callable[[int], Batch]
    validation: tuple[Examples, ...]
    specs: tuple[str, ...]
    notices: tuple[str, ...]
    reseeded: Callable[[TrainConfig], Callable[[int], Batch]]
    on_device: OnDevice | None = None


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
    rows = min(padded_rows(last), used.size)
    return Segments(np.asarray(ink.ends)[:, :rows], np.asarray(ink.mask)[:, :rows])


def choose_specs(texts: Sequence[str], *, rejects: bool = False) -> tuple[tuple[Spec, ...], tuple[str, ...]]:
    """The specs of `texts`; without any, MNIST with synthetic handwriting, or the embedded data.

    Args:
        texts: what is asked for.
        rejects: whether the network is to know what is no digit; what is asked for stays as it is.

    Returns:
        The specs, and sentences for the user.

    Raises:
        InputError: a text is no spec.
    """
    if texts:
        return tuple(parse_spec(text) for text in texts), ()
    reason = unavailable("mnist")
    return (tuple(map(parse_spec, WITH_MNIST[rejects])), ()) if reason is None else _embedded(reason, rejects)


def _embedded(reason: str, rejects: bool) -> tuple[tuple[Spec, ...], tuple[str, ...]]:
    others = ", and drawings that are no digit" if rejects else ""
    notice = (
        f"no MNIST ({reason}): training on what comes with the program, synthetic handwriting, the UCI "
        f"digits{others}; set DIGITJAX_MNIST_DIR to a folder with the four IDX files to train on MNIST"
    )
    return tuple(map(parse_spec, EMBEDDED[rejects])), (notice,)


def make_pipeline(
    config: TrainConfig, geometry: str, rows: slice | None = None, *, stream: bool = False
) -> Pipeline:
    """Opens what `config.data` names (or the default) and makes its batches.

    Args:
        config: data, seed, batch size and augmentation.
        geometry: of the model.
        rows: which rows of every batch are made here, see `batches.make_batches`.
        stream: take examples from prepared records instead of memory, where the source has them. The batches
            are the same to the bit.
    Raises:
        InputError: a spec is wrong, or its data cannot be had.
    """
    if stream:
        require_stream()
    specs, notices = choose_specs(config.data, rejects=config.model.rejects)
    try:
        held = [_open(spec, "train", stream) for spec in specs]
    except DataUnavailable as error:
        if config.data:
            raise
        specs, notices = _embedded(str(error), config.model.rejects)
        held = [_open(spec, "train", stream) for spec in specs]
    rejects = config.model.rejects
    if config.augment.unfinished is None and rejects and specs == tuple(map(parse_spec, EMBEDDED[rejects])):
        config = replace(config, augment=replace(config.augment, unfinished=UNFINISHED))
    counts = share([spec.weight for spec in specs], config.batch_size)
    parts, more = [], []
    for spec, one, count in zip(specs, held, counts, strict=True):
        if stream and isinstance(one, Source) and spec.path is not None:
            more.append(f"{spec} has no prepared records: it is held in memory")
        part, notice = _make_part(spec, one, count, geometry, config)
        parts.append(part)
        more.extend(notice)
    if config.model.rejects and not any(map(_has_others, specs, held)):
        more.append(
            "only digits are learnt from, so nothing is learnt of what to refuse: add nondigits to --data"
        )
    more += [
        f"{spec._replace(weight=1.0)} is learnt from: its accuracy is no test accuracy, and is not measured"
        for spec in specs
        if spec.split == "test"
    ]
    validation, missing = _load_validation(specs, geometry, stream)
    more.extend(missing)
    ahead = (read_ahead,) if any(isinstance(one, Records) for one in held) else ()
    assemble = make_assemble(parts, config, geometry, rows)

    def reseeded(other: TrainConfig) -> Callable[[int], Batch]:
        return make_batches(parts, other, geometry, rows, *ahead, assemble=assemble)

    here = make_on_device(parts, assemble) if rows in (None, slice(0, config.batch_size)) else None
    said = (*notices, *more)
    return Pipeline(reseeded(config), validation, tuple(map(str, specs)), said, reseeded, here)


def is_learnt_from(source: Spec, split: str, specs: Sequence[Spec]) -> bool:
    """Whether a split of a source is among what is trained on, by whatever path its file is named."""
    return any(
        one.split == split and one.name == source.name and _same_place(one.path, source.path) for one in specs
    )


def whole_test_split(spec: Spec, geometry: str, *, stream: bool = False) -> Examples:
    """The test split of a source; streamed, its images are all that is in memory of it.

    Raises:
        InputError: it cannot be had, or has no example.
    """
    held = _open(spec._replace(split="test", weight=1.0), "test", stream)
    assert held is not None
    return _all_examples(held, geometry)


def _open(spec: Spec, split: str, stream: bool) -> Source | Records | None:
    """The examples of a spec in memory or, where asked for and possible, as records; None: endless.

    Raises:
        DataUnavailable: the source cannot be had here.
        EmptySplit: the split has no example.
        InputError: a file is missing or refused.
    """
    if spec.name in ENDLESS and (spec.split or split) == "train":
        return None
    return (open_records(spec, split) if stream else None) or load(spec, split)


def _same_place(one: str | None, other: str | None) -> bool:
    return one == other or (one is not None and other is not None and realpath(one) == realpath(other))


def _load_validation(
    specs: Sequence[Spec], geometry: str, stream: bool
) -> tuple[tuple[Examples, ...], list[str]]:
    """The validation splits that are not empty; synthetic handwriting where no digit is in them."""
    found, notices = [], []
    for spec in specs:
        wanted = spec._replace(split="validation", weight=1.0)
        if is_learnt_from(wanted, "validation", specs):
            notices.append(f"{wanted} is learnt from: it is not validated on")
            continue
        try:
            held = _open(wanted, "validation", stream)
            assert held is not None
            found.append(_all_examples(held, geometry, VALIDATION_EXAMPLES))
        except EmptySplit:
            notices.append(f"{wanted} is empty, {WHY_EMPTY}: it is not validated on")
    if not any((np.asarray(examples.labels) < NOT_A_DIGIT).any() for examples in found):
        spares = [n for n in ("synthetic", "digits8x8") if not is_learnt_from(Spec(n), "validation", specs)]
        if not spares:
            raise InputError("--data leaves no digit to validate on: leave one of its validation splits out")
        spare = spares[0]
        notices.append(f"no source has a digit to validate on: validating on {spare}@validation")
        source = load(f"{spare}@validation")
        found.append(to_examples(_spread(source, VALIDATION_EXAMPLES), geometry))
    return tuple(found), list(dict.fromkeys(notices))


def _all_examples(held: Source | Records, geometry: str, most: int | None = None) -> Examples:
    """All examples of a split, or at most so many of them, evenly spread, in the geometry of a model."""
    if isinstance(held, Source):
        return to_examples(held if most is None else _spread(held, most), geometry)
    parts = [to_examples(part, geometry) for part in sources(held, most)]
    writers = tuple(writer for part in parts for writer in part.writers or ())
    return parts[0]._replace(
        images=np.concatenate([part.images for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        words=tuple(word for part in parts for word in part.words),
        writers=writers if any(writers) else None,
    )


def _has_others(spec: Spec, held: Source | Records | None) -> bool:
    """Whether something of a source is no digit."""
    if held is None:
        return spec.name in NO_DIGITS
    labels = held.entries["label"] if isinstance(held, Records) else held.labels
    return bool((labels == NOT_A_DIGIT).any())


def _make_part(
    spec: Spec, held: Source | Records | None, count: int, geometry: str, config: TrainConfig
) -> tuple[Part, list[str]]:
    keep_others = config.model.rejects
    if held is None:
        if spec.name in NO_DIGITS and not keep_others:
            raise InputError(f"{spec} holds no digit to train on: add --model.rejects, or choose other data")
        return Part(spec.name, count, None), []
    if isinstance(held, Records):
        held = held._replace(entries=held.entries[held.entries["label"] != UNLABELLED])
        labels, ambiguous = held.entries["label"], held.entries["ambiguous"]
    else:
        labels, ambiguous = held.labels, np.array([word in AMBIGUOUS for word in held.words], bool)
    digits = labels < NOT_A_DIGIT
    neither = ambiguous & ~digits
    keep = digits | ~neither if keep_others else digits
    doubted = _doubted(spec, held) if config.audited else np.zeros(len(labels), bool)
    notices = []
    if doubted.any():
        notices.append(f"{spec}: left out {_examples(doubted)} with a label that a reader doubts")
    if keep_others and neither.any():
        notices.append(f"{spec}: left out {_examples(neither)} that may be taken for a digit or a fragment")
    elif not keep.all():
        notices.append(f"{spec}: left out {_examples(~keep)} of no digit: the network has no head for such")
    keep &= ~doubted
    if not keep.any():
        what = "digit whose label nobody doubts" if doubted.any() else "digit"
        raise InputError(f"{spec} holds no {what} to train on: choose other data")
    examples = store(held, keep, geometry) if isinstance(held, Records) else _resident(held, keep, geometry)
    return Part(spec.name, count, examples), notices


def _examples(chosen: Bool[np.ndarray, " n"]) -> str:
    return counted(int(chosen.sum()), "example")


def _doubted(spec: Spec, held: Source | Records) -> Bool[np.ndarray, " n"]:
    """Which labels a reader doubts, of the lists that come with digitjax."""
    if isinstance(held, Records) and spec.path is None:  # no list is of what comes with digitjax
        return np.zeros(len(held.entries), bool)
    if isinstance(held, Records):
        raise InputError(f"{spec} is streamed and cannot be audited: leave out --stream, or add --no-audited")
    return np.array([finding is not None for finding in findings(held.ids, held.labels, shipped_audit())])


def _resident(source: Source, keep: Bool[np.ndarray, " n"], geometry: str) -> Store:
    """The examples marked in `keep`, on the device."""
    labels, images, ink = source.labels[keep], None, None
    if source.ink is not None:
        ink = trim(Segments(np.asarray(source.ink.ends)[keep], np.asarray(source.ink.mask)[keep]))
    else:
        images = to_examples(source, geometry).images[keep]
    held = jax.device_put(Taken(labels, images, ink))
    if jax.default_backend() == "cpu":  # the same memory; NumPy takes rows in a tenth of XLA's time
        here = jax.tree.map(np.asarray, held)
        return Store(
            len(labels), lambda indices: jax.tree.map(lambda leaf: leaf.take(indices, 0), here), held
        )

    @jax.jit
    def gather(held: Taken, indices: Int[Array, " taken"]) -> Taken:
        return jax.tree.map(lambda leaf: leaf[indices], held)

    return Store(len(labels), lambda indices: gather(held, indices), held)


def _spread(source: Source, most: int) -> Source:
    """At most so many of the examples, evenly spread."""
    n = len(source.labels)
    if n <= most:
        return source
    take = np.linspace(0, n - 1, most).astype(int)
    ink, images = source.ink, source.images
    if images is not None:
        images = [images[i] for i in take] if isinstance(images, list) else images[take]
    return source._replace(
        labels=source.labels[take],
        words=tuple(source.words[i] for i in take),
        writers=None if source.writers is None else tuple(source.writers[i] for i in take),
        ink=None if ink is None else Segments(np.asarray(ink.ends)[take], np.asarray(ink.mask)[take]),
        images=images,
        ids=None if source.ids is None else source.ids[take],
    )
