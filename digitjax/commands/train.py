"""`digitjax train`: the command line of the trainer."""

import contextlib
import dataclasses
import difflib
import io
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from digitjax import __version__, claim, compiled, processes, runs, steering
from digitjax.config import TrainConfig
from digitjax.data import registry
from digitjax.data.mnist_files import asking_early
from digitjax.data.spec import parse_spec
from digitjax.errors import InputError
from digitjax.presets.registry import PRESETS, about, preset
from digitjax.progress import say

if TYPE_CHECKING:
    from digitjax import loop

_DESCRIPTION = """\
Train a network and leave a checkpoint of it, and a report, in a folder of its own.

PRESET is one of:
{presets}

Every field of the configuration can be given; what is not given is the preset's."""

_LISTS = {"--data": "spec, such as mnist or synthetic", "--distil": "checkpoint"}
"""Options that take several words and may be repeated, and what one of the words is."""
_EXAMPLES = """
data specs, NAME[:PATH][@SPLIT][=WEIGHT], with NAME one of
  {sources}
  `digitjax data list` tells what each is, and which of them take a file or a folder

examples:
  digitjax train                                         on MNIST, or on what is at hand
  digitjax train cnn --epochs 5 --seed 1                 shorter, another seed: checkpoints/cnn-1
  digitjax train --data mnist=3 strokes:mine.ndjson=1    three quarters MNIST, one quarter your drawings
  digitjax train --model.channels 32 64 128              a larger network
  digitjax train --data strokes:huge.ndjson --stream     more drawings than memory holds
  digitjax train --distil checkpoints/cnn-0              learns from another network's odds, too
  digitjax train --resume                                go on where Ctrl-C stopped it
Ctrl-C saves and leaves, a second one leaves at once. Exit codes: 0 done, 1 failed, 2 bad usage,
130 and 143 saved after Ctrl-C and SIGTERM.
"""

_PROCESSES = ("--coordinator", "--processes", "--process")
_OF_A_RUN = ("--out", "--resume", "--anew", "--stream", *_PROCESSES)


def _default(value: str) -> str:
    """What is said of an option's default: nothing where its text says what no value means."""
    return f"(default: {value})" if value.strip("'") else ""


@dataclass(frozen=True, kw_only=True)
class _Fields(TrainConfig):
    preset: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="[PRESET]")] = "cnn"
    """Where every field that is not given comes from."""
    data: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="SPEC [SPEC ...]", help_behavior_hint=_default)
    ] = ()
    """What to train on, repeatable; where nothing is named, MNIST if it can be had, synthetic, nondigits."""
    start: Annotated[str, tyro.conf.arg(metavar="CHECKPOINT", help_behavior_hint=_default)] = ""
    """A checkpoint whose params the run begins with, a run, RUN/STEP or newest; by default fresh ones."""
    distil: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="CHECKPOINT [CHECKPOINT ...]", help_behavior_hint=_default)
    ] = ()
    """Checkpoints, named as in --start, whose mean odds are learnt from beside the labels."""


@dataclass(frozen=True, kw_only=True)
class _Arguments:
    config: Annotated[_Fields, tyro.conf.arg(name="")]
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder of the run; by default checkpoints/<preset>-<seed>, or the next free suffix."""
    resume: Annotated[tyro.conf.FlagCreatePairsOff[bool], tyro.conf.arg(help_behavior_hint="")] = False
    """Go on with the run in --out, or with the last of this preset and seed that was stopped."""
    anew: Annotated[tyro.conf.FlagCreatePairsOff[bool], tyro.conf.arg(help_behavior_hint="")] = False
    """Begin a new run even where one could be resumed; --resume goes before it."""
    coordinator: Annotated[str | None, tyro.conf.arg(metavar="HOST:PORT", help_behavior_hint="")] = None
    """With several processes: where process 0 listens, on a private network. SLURM and TPU pods need none."""
    processes: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """With several processes: how many there are."""
    process: Annotated[int | None, tyro.conf.arg(metavar="I", help_behavior_hint="")] = None
    """With several processes: which one this is, from 0."""
    stream: Annotated[tyro.conf.FlagCreatePairsOff[bool], tyro.conf.arg(help_behavior_hint="")] = False
    """Read examples from prepared records instead of memory; the batches are the same to the bit."""


def run(argv: list[str]) -> int:
    """Runs the command and returns its exit code.

    Raises:
        DigitjaxError: one sentence, and the exit code.
    """
    argv = _join_lists(argv)
    first = _parse_first(argv)
    place = _find_place(first)
    if place is not None:
        _config_of(argv, first)  # what is wrong with the arguments is told before anything starts
        return processes.supervise(place, argv)
    with contextlib.ExitStack() as stack:
        config, folder = _claim(argv, first, stack)
        stack.enter_context(compiled.kept(say))
        return _train(config, folder, resume=first.resume, stream=_streams(first, folder))


def _streams(asked: _Arguments, folder: Path) -> bool:
    """Whether examples are streamed: where it is asked for, and where the run that goes on was begun so."""
    return asked.stream or (asked.resume and runs.was_streamed(folder))


def _find_place(asked: _Arguments) -> processes.Place | None:
    """The place of this process among several that train together; None where it trains alone."""
    return processes.find(
        os.environ, asked.coordinator, asked.processes, asked.process, processes.machine_metadata()
    )


def run_member(argv: list[str]) -> int:
    """Trains as one of several processes: the first one claims the folder, speaks, and writes the report.

    Raises:
        DigitjaxError: one sentence, and the exit code.
    """
    argv = _join_lists(argv)
    first = _parse_first(argv)
    place = _find_place(first)
    assert place is not None
    with contextlib.ExitStack() as stack:
        with processes.meeting(place):
            processes.require_alike(_asked(first))
            stack.enter_context(compiled.kept(say if place.process == 0 else lambda _: None))
            chosen = processes.agree(lambda: _choose(argv, first, stack))
            folder = Path(chosen["folder"])
            if not folder.is_dir():
                raise InputError(
                    f"{folder} is not to be seen from process {place.process}: give --out a folder on a disk "
                    f"that all machines share"
                )
            config = _resumed_config(argv, folder) if first.resume else _config_of(argv, first)
            from digitjax import loop

            stream = _streams(first, folder)
            trained = loop.train(
                config,
                folder,
                resume=first.resume,
                told=chosen["told"],
                data=chosen["data"],
                stream=stream,
            )
        return _finish(config, folder, trained, stream) if place.process == 0 else 0


def _asked(first: _Arguments) -> dict[str, str]:
    """What all processes must be asked for alike: every field, how a run is begun, and of which digitjax.

    The folder is the first one's to choose.
    """
    fields = {f"--{name}": _words(field_of(first.config, name)) for name in field_names()}
    flags = {"--resume": str(first.resume), "--stream": str(first.stream)}
    return flags | {"digitjax": __version__} | fields


def _choose(argv: list[str], first: _Arguments, stack: contextlib.ExitStack) -> dict:
    """What only one process may choose: the run's folder, and the data where none is named."""
    config, folder = _claim(argv, first, stack)
    from digitjax.data.pipeline import choose_specs

    chosen = first.resume or config.data
    specs, told = ((), ()) if chosen else choose_specs((), rejects=config.model.rejects)
    for notice in told:
        say(notice)
    return {"folder": str(folder.absolute()), "data": [str(spec) for spec in specs], "told": list(told)}


def _claim(argv: list[str], first: _Arguments, stack: contextlib.ExitStack) -> tuple[TrainConfig, Path]:
    """The run's configuration and its folder, held until `stack` closes."""
    if not first.resume:
        config = _config_of(argv, first)
        return config, stack.enter_context(claim.new_run(config, first.out, anew=first.anew))
    if first.out is None:
        _named_preset(argv, first.config.preset)  # a wrong name is refused by its sentence
    folder = claim.run_to_resume(first.config.preset, first.config.seed, first.out)
    config = _resumed_config(argv, folder)
    stack.enter_context(claim.locked(folder))
    steering.forget_commands(folder)
    return config, folder


def config_of(argv: list[str]) -> TrainConfig:
    """The configuration that `digitjax train ARGV` would begin; options about its folder are refused.

    Raises:
        InputError: bad usage.
    """
    for word in argv:
        if (name := word.partition("=")[0]) in _OF_A_RUN:
            raise InputError(f"{name} is for one run: leave it out")
    argv = _join_lists(argv)
    return _config_of(argv, _parse_first(argv))


def field_names() -> list[str]:
    """The fields of a configuration as the command line names them: `optim.learning-rate`."""
    names = [name.removeprefix("--") for name in _options(TrainConfig, "--")]
    return [name for name in names if not name.rpartition(".")[2].startswith("no-")]


def field_of(config: TrainConfig, name: str) -> Any:
    """The value of a field that `field_names` names."""
    value: Any = config
    for part in name.replace("-", "_").split("."):
        value = getattr(value, part)
    return value


def _config_of(argv: list[str], first: _Arguments) -> TrainConfig:
    default = _named_preset(argv, first.config.preset)
    config = _config(_parse(argv, default))
    if _refuses(config):
        refusing = dataclasses.replace(default.model, rejects=True)
        config = _config(_parse(argv, dataclasses.replace(default, model=refusing)))
    if config.model.members > 1:
        raise InputError(
            f"--model.members {config.model.members} is what `digitjax sweep` makes of networks that were "
            "trained one by one: leave it out"
        )
    for text in set(config.data) & set(preset(config.preset).data):
        if (path := parse_spec(text).path) and not Path(path).exists():
            raise InputError(
                f"{config.preset} learns from {path}, which is not there: "
                f"make it with `digitjax data split`, or give --data strokes:FILE"
            )
    return config


def _named_preset(argv: list[str], name: str) -> TrainConfig:
    """The preset of that name.

    Raises:
        InputError: there is none, also where the name stands after an option that takes no value.
    """
    flags = {"--resume": "", "--anew": "", "--stream": ""} | _flags()
    for word, after in zip(argv, [*argv[1:], ""], strict=False):
        option, equals, value = word.partition("=")
        plain = option.replace("_", "-")
        if plain in flags and name not in PRESETS and name == (value if equals else after):
            hint = f", or give {flags[plain]}" if flags[plain] else ""
            raise InputError(f"{option} takes no value, {name!r} was given: leave it out{hint}")
    return preset(name)


def _flags() -> dict[str, str]:
    """The options that take no value, and what each one's opposite is."""
    names = _options(TrainConfig, "--")
    flags = {}
    for no in names:
        yes = re.sub(r"(--|\.)no-", r"\1", no, count=1)
        if yes != no and yes in names:
            flags |= {yes: no, no: yes}
    return flags


def _refuses(config: TrainConfig) -> bool:
    """Whether a network is to know what is no digit: as the one that it begins with does, else as its preset
    says, or since some of what is learnt from by default is none.
    """
    if config.model.rejects or not config.start:
        return config.model.rejects or not config.data
    return runs.read_config(runs.run_of(_resolved("--start", config.start))).model.rejects


def _train(config: TrainConfig, folder: Path, *, resume: bool, stream: bool) -> int:
    wants_mnist = not config.data or any(re.match(r"mnist\b", text) for text in config.data)
    told: Sequence[str] = ()
    with asking_early() if wants_mnist and not resume else contextlib.nullcontext():
        if not resume:
            from digitjax.data.pipeline import choose_specs

            # Told before Orbax is imported, which takes seconds.
            _, told = choose_specs(config.data, rejects=config.model.rejects)
            for notice in told:
                say(notice)
        from digitjax import loop

        trained = loop.train(config, folder, resume=resume, told=told, stream=stream)
    return _finish(config, folder, trained, stream)


def _finish(config: TrainConfig, folder: Path, trained: "loop.Trained", stream: bool) -> int:
    from digitjax import finish  # matplotlib, which the training's start need not wait for

    print(finish.finish(config, folder, trained.data, trained.seconds, stream=stream), file=sys.stderr)
    return 0


def _resumed_config(argv: list[str], folder: Path) -> TrainConfig:
    """The run's own configuration; a field on the command line may repeat it, not change it."""
    config = runs.read_config(folder)
    for name in config.distil:
        try:
            runs.resolve(name)
        except InputError as error:
            raise InputError(
                f"{folder} learns from {name}, which is not there any more: put it back, or train anew "
                f"with --start {folder}"
            ) from error
    asked = _config(_parse(argv, config))
    for name, (wanted, is_now) in _differences(asked, config).items():
        raise InputError(
            f"--{name} {wanted} cannot change on the way, {folder} was begun with {is_now}: "
            f"leave it out, or leave --resume out to train anew"
        )
    return config


def _parse_first(argv: list[str]) -> _Arguments:
    """The arguments before it is known whose fields they override, or help with the preset's defaults.

    A field may be right beside its own preset's others alone, as five channels are beside the two stages of
    `cnn-shipped`: where they are refused, the first word that names a preset is taken for one.
    """
    named = next((word for word in argv if word in PRESETS), TrainConfig().preset)
    likely = dataclasses.replace(preset(named), preset=TrainConfig().preset)
    if {"-h", "--help"} & set(argv):
        return _parse(argv, likely)
    try:
        return _parse(argv, TrainConfig())
    except InputError:
        return _parse(argv, likely)


def _parse(argv: list[str], default: TrainConfig) -> _Arguments:
    _refuse_unknown_options(argv)
    values = {field.name: getattr(default, field.name) for field in dataclasses.fields(TrainConfig)}
    presets = "\n".join(f"  {name}: {about(name)}" for name in PRESETS)
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(
                _Arguments,
                prog="digitjax train",
                args=argv,
                default=_Arguments(config=_Fields(**values)),
                description=_DESCRIPTION.format(presets=presets),
            )
    except SystemExit as leaving:
        if leaving.code in (0, None):
            print(_EXAMPLES.format(sources=", ".join(registry.MODULES)), end="")
            raise
        raise InputError(_sentence(complaint.getvalue())) from leaving


def _config(arguments: _Arguments) -> TrainConfig:
    values = {f.name: getattr(arguments.config, f.name) for f in dataclasses.fields(TrainConfig)}
    values["distil"] = tuple(_pinned(name) for name in values["distil"])
    return TrainConfig(**values)


def _pinned(name: str) -> str:
    """The step that a checkpoint is now: a run that goes on learns from what it began to learn from."""
    step = _resolved("--distil", name)
    return str(runs.run_of(step).absolute() / step.name)


def _resolved(option: str, name: str) -> Path:
    try:
        return runs.resolve(name)
    except InputError as error:
        raise InputError(f"{option} {name}: {error}") from error


def _refuse_unknown_options(argv: list[str]) -> None:
    known = ["--help", *_OF_A_RUN, *_options(TrainConfig, "--")]
    for word in argv:
        name = word.partition("=")[0].replace("_", "-")
        if name.startswith("--") and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else "`digitjax train --help` lists them all"
            raise InputError(f"unknown option {name}: {hint}")


def _options(kind: Any, prefix: str) -> list[str]:
    names = []
    for field in dataclasses.fields(kind):
        name = prefix + field.name.replace("_", "-")
        if dataclasses.is_dataclass(field.type):
            names += _options(field.type, name + ".")
        elif field.type is bool:
            names += [name, f"{prefix}no-{field.name.replace('_', '-')}"]
        elif name != "--preset":
            names.append(name)
    return names


def _differences(asked: Any, now: Any, prefix: str = "") -> dict[str, tuple[str, str]]:
    found = {}
    for field in dataclasses.fields(asked):
        name, wanted, is_now = (
            prefix + field.name.replace("_", "-"),
            *(getattr(c, field.name) for c in (asked, now)),
        )
        if dataclasses.is_dataclass(wanted):
            found |= _differences(wanted, is_now, name + ".")
        elif wanted != is_now:
            found[name] = _words(wanted), _words(is_now)
    return found


def _words(value: object) -> str:
    return " ".join(map(str, value)) or "(none)" if isinstance(value, tuple) else str(value)


def _join_lists(argv: list[str]) -> list[str]:
    """Gathers every `--data A B ... --data=C` into one option at the end, as tyro keeps only the last.

    `--distil` likewise. A preset among the words goes to the front.
    """
    found: dict[str, list[str]] = {name: [] for name in _LISTS}
    rest, now = [], None
    for word in argv:
        name, equals, value = word.partition("=")
        if name in found:  # after an equals sign comes one word: what follows is no part of it
            now = None if equals else name
            found[name] += [value] if equals else []
        elif now and word in PRESETS:
            rest.insert(0, word)
        elif now and not word.startswith("-"):
            found[now].append(word)
        else:
            now = None
            rest.append(word)
    for name, words in found.items():
        if name in argv and not words and not {"-h", "--help"} & set(argv):
            raise InputError(f"{name} names nothing: give at least one {_LISTS[name]}")
    return [*rest, *(word for name, words in found.items() if words for word in (name, *words))]


def _sentence(complaint: str) -> str:
    """tyro's framed complaint as one sentence."""
    lines = []
    for line in complaint.splitlines()[1:]:
        text = line.strip("│| \t")
        if text and not set(text) <= set("─╰╯╭╮-+"):
            lines.append(text)
        elif lines:
            break
    text = " ".join(lines).rstrip(".") or "the arguments cannot be understood"
    if wrong := re.fullmatch(r"Error parsing (--\S+): .*?(\[.*\]|'[^']*')", text):
        text = f"{wrong[1]} cannot be {wrong[2].strip('[]')}"
    return f"{text}: `digitjax train --help` tells what each option takes"
