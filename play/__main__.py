"""argv in, exit code out. The reading process starts first, then the window; nothing heavy comes here."""

import argparse
import gc
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from digitjax.cli import replace_closed_streams
from digitjax.errors import DigitjaxError, InputError

DESCRIPTION = """\
Draw a digit: the network answers while the line is still being drawn.

It takes the last network that was trained (or the one that came with the program) and runs on the CPU, beside
whatever else runs. Everything stays on this machine. Press ? for the keys."""


def parser() -> argparse.ArgumentParser:
    """The options, as the README gives them."""
    options = argparse.ArgumentParser(
        prog="python -m play",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = options.add_argument
    add("--checkpoint", metavar="C", help="a run, RUN/STEP or newest; else the last cnn run that finished")
    add("--device", choices=("cpu", "gpu", "tpu"), default="cpu", help="where the network runs (cpu)")
    add("--replay", metavar="FILE", help="draw the drawings of an NDJSON file")
    add("--headless", action="store_true", help="no window; with --replay a line of JSON a drawing")
    add("--realtime", action="store_true", help="replay at the speed of people")
    add("--frames", type=int, metavar="N", help="stop after so many frames")
    add("--screenshot", metavar="FILE", help="save the last frame as PNG")
    add("--size", metavar="WxH", help="size of the window (1280x800; twice that on a 4K screen)")
    add("--theme", choices=("dark", "light"), help="colours; else those of the last time")
    add(
        "--screen",
        metavar="NAME",
        help="screen to begin with: draw, sees, why, number, models, train, time, teach, score, gallery",
    )
    add("--user-dir", metavar="DIR", help="folder of recordings and settings")
    add("--bench", action="store_true", help="measure: start, latency, frames, memory")
    add("--json", action="store_true", help="with --bench: the figures as JSON on standard output")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the drawing program and returns its exit code; one sentence where it cannot."""
    replace_closed_streams()
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # the banner goes to standard output
    os.environ.setdefault("SDL_VIDEO_ALLOW_SCREENSAVER", "1")
    os.environ.setdefault("SDL_WINDOWS_DPI_AWARENESS", "permonitorv2")
    # Else SDL drops a press that it reads within 10 ms of the focus, as in a slow first frame.
    os.environ.setdefault("SDL_MOUSE_FOCUS_CLICKTHROUGH", "1")
    gc.disable()  # nothing that is imported becomes garbage; the session switches it on
    try:
        options = parser().parse_args(None if argv is None else list(argv))
        return _run(options)
    except DigitjaxError as error:
        return _fail(str(error), error.exit_code)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except OSError as error:
        where = f" ({os.fsdecode(error.filename)})" if isinstance(error.filename, str | bytes) else ""
        return _fail(f"{error.strerror or error}{where}: give another place, then run again", 1)
    finally:
        gc.enable()


def _run(options: argparse.Namespace) -> int:
    size = _size(options.size)
    if options.frames is not None and options.frames < 1:
        raise InputError(f"--frames {options.frames} is out of range: give 1 or more")
    if options.json and not options.bench:
        raise InputError("--json belongs to --bench: give both")
    if options.screen is not None:
        from play.screens import SCREENS

        if options.screen not in SCREENS:
            raise InputError(f"--screen {options.screen} is unknown: give one of {', '.join(SCREENS)}")
    if options.replay and not Path(options.replay).is_file():
        raise InputError(
            f"--replay {options.replay} does not exist or is no file: give an .ndjson or .ndjson.gz file"
        )
    if options.bench:
        from digitjax import runs
        from play import bench

        runs.resolve(options.checkpoint)  # told now, and not by each of the processes that are measured

        return bench.run(checkpoint=options.checkpoint, as_json=options.json, replay=options.replay)
    if options.headless and not (options.replay or options.frames or options.screenshot):
        raise InputError("--headless alone never ends: add --replay FILE, --frames N or --screenshot FILE")
    if options.screenshot is not None:
        if not options.screenshot or Path(options.screenshot).is_dir():
            raise InputError(
                f"--screenshot {options.screenshot or repr('')} is no file: name one for the PNG"
            )
        if not Path(options.screenshot).absolute().parent.is_dir():
            raise InputError(f"--screenshot {options.screenshot}: the folder does not exist; make it first")
    from digitjax import compiled
    from play import launch, paths

    folder = paths.user_folder(options.user_dir)
    reading = launch.Options(options.checkpoint, options.device, compiled.folder())
    link = launch.start(reading)
    from play import session

    stop = session.Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop.handle)
    return session.run(
        link,
        reading,
        folder,
        stop=stop,
        size=size,
        replay=options.replay,
        headless=options.headless,
        realtime=options.realtime,
        frames=options.frames,
        screenshot=options.screenshot,
        theme=options.theme,
        screen=options.screen,
        named=options.checkpoint is not None,
    )


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d{2,5})x(\d{2,5})", text)
    if found is None or not all(320 <= int(side) <= 16384 for side in found.groups()):
        raise InputError(f"--size {text} is no size: give WIDTHxHEIGHT, 320x320 to 16384x16384")
    return int(found[1]), int(found[2])


def _fail(sentence: str, code: int) -> int:
    print(f"digitjax-play: {' '.join(sentence.split())}", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
