"""Train: make a network, watch it learn while it answers for the canvas, change it on the way."""

import math
from collections.abc import Sequence

import numpy as np

from play import studio as studios
from play.layout import Control, Layout, Rect
from play.places import Listing, gap_of, scroll_controls, train_list, train_places
from play.state import PlayState
from play.studio import HardDigit, RunSeen
from play.view import charts, parts, runs
from play.view.answer import strip_block
from play.view.charts import Curve
from play.view.painter import Block, Painter, text_width
from play.view.screen import Screen

WORDS = {
    "starting": "starting",
    "training": "training",
    "paused": "paused",
    "stopped": "stopped",
    "finished": "finished",
    "failed": "stopped",
    "gone": "not there any more",
}
ASKED = {"pause": "starting, then paused", "stop": "being stopped"}
"""While it starts."""
TIPS = {
    "recipe": "What to train, and on what",
    "curves": "Loss and accuracy",
    "digits": "How well each digit is read, and what is taken for what",
    "hardest": "The held-out digits that it finds hardest",
    "runs": "All runs, and the bin",
}
WAITING = {
    "curves": "Loss and accuracy appear here while a network learns.",
    "digits": "After the first epoch: how well each digit is read, and what is taken for what.",
    "hardest": "After the first epoch: the held-out digits that the network finds hardest.",
    "runs": "No run yet.",
}


def blocks(state: PlayState, layout: Layout) -> tuple[Block, ...]:
    """The answer, the chosen tab, and how the run goes."""
    places = train_places(state, layout)
    studio, run = state.studio, state.studio.run
    found = [strip_block(state, places.answer), _status_block(state.studio, places.status)]
    match studio.tab:
        case "recipe":
            found += [_row_block(state, layout, row, rect) for row, rect in _rows(state, layout)]
        case "curves" if run is not None and len(run.points) > 1:
            found.append(_curves_block(run, places.body))
        case "digits" if run is not None and any(epoch.confusion for epoch in run.epochs):
            found.append(_digits_block(run, places.body))
        case "hardest" | "runs" if (listing := train_list(state, places.body, layout)) and listing.cells:
            found.append(_heading_block(state, layout, listing))
            for index, rect in listing.cells:
                if studio.tab == "hardest":
                    found.append(_hard_block(state, rect, index, studio.hardest[index]))
                elif studio.in_bin:
                    found.append(runs.binned_block(layout, rect, studio.binned[index]))
                else:
                    found.append(runs.block(state, layout, rect, state.listed[index]))
        case "runs" if listing := train_list(state, places.body, layout):
            rest = places.body.below(listing.heading.h + gap_of(layout))
            found += [_heading_block(state, layout, listing), _waiting_block(rest, WAITING["runs"])]
        case _:
            found.append(_waiting_block(places.body, WAITING[studio.tab]))
    return tuple(found)


def controls(state: PlayState, layout: Layout) -> tuple[Control, ...]:
    """The tabs, what the chosen one offers, and the buttons of the run."""
    places = train_places(state, layout)
    studio = state.studio
    found = [
        Control(f"tab:{tab}", rect, studios.TITLES[tab], on=studio.tab == tab, tip=TIPS[tab])
        for tab, rect in zip(studios.TABS, places.tabs, strict=True)
    ]
    if studio.tab == "recipe":
        for row, rect in _rows(state, layout):
            less, more = _turns(layout, rect)
            about = studios.LABELS[row]
            found.append(Control(f"turn:{row}-", less, "‹", plate=True, tip=f"{about}: the one before"))
            found.append(Control(f"turn:{row}+", more, "›", plate=True, tip=f"{about}: the next"))
    listing = train_list(state, places.body, layout)
    found += () if listing is None else scroll_controls(listing)
    if studio.tab == "runs" and listing is not None:
        found.append(runs.bin_control(state, layout, listing))
    for index, rect in () if listing is None else listing.cells:
        if studio.tab == "hardest":
            tip = "Put it on the canvas, traced from the picture"
            found.append(Control(f"hard:{index}", rect, "", own=True, tip=tip))
        elif studio.in_bin:
            found.append(runs.binned_control(layout, rect, studio.binned[index]))
        else:
            found += runs.controls(state, layout, rect, state.listed[index])
    buttons = _buttons(state)
    columns = places.buttons.labelled([button.label for button in buttons], max(2, gap_of(layout) // 2))
    found += [button._replace(rect=rect) for button, rect in zip(buttons, columns, strict=True)]
    return tuple(found)


def _buttons(state: PlayState) -> list[Control]:
    """What can be done with the run, its places still to be filled in."""
    run, nowhere = state.studio.run, Rect(0, 0, 0, 0)
    status = "" if run is None else run.status
    found = [Control("train:start", nowhere, "Start", tip="Train a new network by this recipe")]
    if run is not None and run.lives:
        starts, asked = status == "starting", state.studio.asked
        going = asked != "stop"
        paused = status == "paused" or asked == "pause"
        name, label, tip = ("resume", "Go on", "Train on") if paused else ("pause", "Pause", "Save and wait")
        stopped = "It is being stopped"
        found = [
            Control(f"train:{name}", nowhere, label, enabled=going, on=paused, tip=tip, why=stopped),
            *(
                Control(
                    f"train:rate{sign}",
                    nowhere,
                    f"Rate {arrow}",
                    enabled=not starts,
                    tip=f"A {word} learning rate from now on",
                    why="The learning rate can be changed as soon as it trains",
                )
                for sign, arrow, word in (("-", "‹", "lower"), ("+", "›", "higher"))
            ),
            Control(
                "train:stop", nowhere, "Stop", enabled=going, on=not going, tip="Save and stop", why=stopped
            ),
        ]
    elif status in ("stopped", "failed") and run is not None and run.total:
        tip = "Go on where it was last saved"
        found.append(Control("train:go-on", nowhere, "Go on", tip=tip))
    used = state.models[0]
    if run is not None and run.kept and (used is None or used.path != run.path):
        loads = state.awaited[0] == run.path
        label, tip = "Loading" if loads else "Use it", f"Let {run.name} answer for the canvas"
        why = f"One moment: {run.name} is being loaded"
        found.append(Control("answer", nowhere, label, enabled=not loads, tip=tip, why=why))
    return found


# Recipe


def _rows(state: PlayState, layout: Layout) -> list[tuple[str, Rect]]:
    body = train_places(state, layout).body
    height = min(body.h, round(len(studios.ROWS) * layout.text * 3))
    rows = body.top(height).rows(len(studios.ROWS), max(1, gap_of(layout) // 3))
    return list(zip(studios.ROWS, rows, strict=True))


def _turns(layout: Layout, rect: Rect) -> tuple[Rect, Rect]:
    """The two buttons of a row."""
    side = max(16, min(round(layout.text * 1.8), rect.w // 5))
    height = max(min(16, rect.h), rect.h - max(2, round(6 * layout.unit)))
    y = rect.y + (rect.h - height) // 2
    left = rect.x + round(rect.w * 0.34)
    return Rect(left, y, side, height), Rect(
        rect.right - side - max(2, round(4 * layout.unit)), y, side, height
    )


def _row_block(state: PlayState, layout: Layout, row: str, rect: Rect) -> Block:
    recipe = state.studio.recipe
    values = {name: studios.value(recipe, name) for name in studios.ROWS}
    text, of_preset = values[row], studios.of_preset(recipe.preset)
    changed = row != "preset" and studios.value(of_preset, row) != text
    less, more = _turns(layout, rect)

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect)
        label = Rect(rect.x + painter.px(10), rect.y, less.x - rect.x - painter.px(14), rect.h)
        fits = text_width(studios.LABELS[row], round(0.9 * painter.text_size)) <= label.w - painter.px(6)
        name = studios.LABELS[row] if fits else studios.SHORT.get(row, studios.LABELS[row])
        painter.text(name, label, palette.muted, size=0.9, smallest=0.6)
        place = Rect(less.right + painter.px(4), rect.y, more.x - less.right - painter.px(8), rect.h)
        size = painter.common([(value, place) for value in values.values()], bold=True)
        painter.text(text, place, palette.text, size=size, bold=changed, align="centre")

    return Block(rect, (row, *values.values(), changed), paint)


# How it goes


def _status_block(studio: studios.Studio, rect: Rect) -> Block:
    run = studio.run
    key = None if run is None else (run._replace(points=(), epochs=(), kept=(), changed=()), studio.asked)

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        painter.fill(rect, palette.ground)
        painter.box(rect, palette.surface, 12)
        inner = rect.inset(painter.px(9))
        if run is None:
            parts.note(
                painter, ("Choose a recipe and press Start.", "Press Start."), inner, palette.muted, 1.0
            )
            return
        words = f"{run.name}: {ASKED.get(studio.asked, WORDS[run.status])}"
        if run.total and run.step and run.status != "starting":
            words += f", step {run.step:,} of {run.total:,}"
        if run.failed:
            line = inner.top(round(painter.text_size * 1.35))
            painter.text(words, line, palette.text, bold=True, smallest=0.5)
            _why(painter, run.text, inner.below(line.h))
            return
        bar = max(2, painter.px(5))
        lines = inner.top(inner.h - bar - painter.px(3)).rows(2)
        painter.text(words, lines[0], palette.text, bold=True, smallest=0.5)
        painter.text(_facts(run), lines[1], palette.muted, size=0.9, smallest=0.5)
        track = Rect(inner.x, inner.bottom - bar, inner.w, bar)
        painter.box(track, palette.raised, 3)
        done = round(track.w * run.step / run.total) if run.total else 0
        if done > 0:
            painter.box(track._replace(w=max(done, bar)), palette.accent, 3)

    return Block(rect, key, paint)


def _why(painter: Painter, text: str, rect: Rect) -> None:
    """Why it stopped, as large as it fits whole; else its beginning."""
    color = painter.palette.second
    if not any(parts.note(painter, (text,), rect, color, size) for size in (0.9, 0.8, 0.7)):
        painter.paragraph(text, rect, color, size=0.8)


def _facts(run: RunSeen) -> str:
    """How fast the run is, in a line."""
    if run.doing:
        return run.doing
    found = []
    if run.images_per_second:
        found = [f"{run.images_per_second:,.0f} images/s"]
        found += [f"{_duration(run.left)} left" if run.left is not None else ""]
    if run.learning_rate:
        found.append(f"rate {run.learning_rate:.3g}")
    return " · ".join(part for part in found if part)


def _duration(seconds: float) -> str:
    """42 s, 3 min, 2 h 07 min: as much as one wants to know of time that is left."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 5940:
        return f"{round(whole / 60)} min"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def _curves_block(run: RunSeen, rect: Rect) -> Block:
    def paint(painter: Painter, rect: Rect) -> None:
        parts.card(painter, rect)
        inner = rect.inset(painter.px(10))
        two = inner.columns(2, painter.px(12)) if inner.w > 1.6 * inner.h else inner.rows(2, painter.px(8))
        _loss(painter, run, two[0])
        _accuracy(painter, run, two[1])

    return Block(rect, (run.points, run.epochs, run.changed, run.total), paint)


def _plot(
    painter: Painter,
    run: RunSeen,
    rect: Rect,
    title: str,
    curves: tuple[list[tuple[int, float]], list[tuple[int, float]]],
    *,
    low: float,
    high: float,
    labels: Sequence[tuple[float, str]],
) -> None:
    """Batches thin and held-out digits thick and dotted, so that the title needs no colours."""
    palette = painter.palette
    height = round(painter.text_size * 1.3)
    painter.text(title, rect.top(height), palette.muted, size=0.85, smallest=0.5)
    training, held_out = curves
    charts.chart(
        painter,
        rect.below(height),
        [Curve(training, palette.muted), Curve(held_out, palette.accent, True, True)],
        x_most=run.total,
        low=low,
        high=high,
        labels=labels,
        marks=run.changed,
    )


def _loss(painter: Painter, run: RunSeen, rect: Rect) -> None:
    def log(value: float) -> float:
        return math.log10(min(max(value, 1e-4), 100.0))

    training = [(step, log(loss)) for step, loss, _ in run.points]
    held_out = [(one.step, log(one.loss)) for one in run.epochs if one.loss is not None]
    values = [y for _, y in (*training, *held_out)]
    low, high = math.floor(min(values) * 2) / 2, math.ceil(max(values) * 2) / 2 + 1e-9
    labels = [(exponent, f"{10.0**exponent:g}") for exponent in range(math.ceil(low), math.floor(high) + 1)]
    curves = training, held_out
    _plot(painter, run, rect, "Loss: batches; ● held out", curves, low=low, high=high, labels=labels)


def _accuracy(painter: Painter, run: RunSeen, rect: Rect) -> None:
    def nines(value: float) -> float:
        """Equal room for each tenth of the errors: 90, 99, 99.9 %."""
        return -math.log10(max(1.0 - value, 10**-3.3))

    training = [(step, nines(accuracy)) for step, _, accuracy in run.points]
    held_out = [(one.step, nines(one.accuracy)) for one in run.epochs if one.accuracy is not None]
    labels = ((0.0, "0 %"), (1.0, "90 %"), (2.0, "99 %"), (3.0, "99.9"))
    curves = training, held_out
    _plot(painter, run, rect, "Right: batches; ● held out", curves, low=0.0, high=3.3, labels=labels)


def _digits_block(run: RunSeen, rect: Rect) -> Block:
    epochs = [epoch for epoch in run.epochs if epoch.confusion]

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect)
        inner = rect.inset(painter.px(10))
        wide = inner.w > inner.h
        upper = inner.columns(2, painter.px(12))[0] if wide else inner.top(round(inner.h * 0.5))
        lower = inner.columns(2, painter.px(12))[1] if wide else inner.below(upper.h + painter.px(6))
        series = [[epoch.digits[digit] or 0.0 for epoch in epochs] for digit in range(10)]
        low = max(0.0, math.floor(min(min(values) for values in series) * 20) / 20 - 0.01)
        line = round(painter.text_size * 1.3)
        for text, place in (("Each digit read", upper), ("Is ↓ said →", lower)):
            painter.text(text, place.top(line), palette.muted, size=0.85, smallest=0.5)
        for digit, row in enumerate(upper.below(line).rows(10, painter.px(2))):
            name, number = round(painter.text_size * 1.2), round(painter.text_size * 4)
            painter.text(str(digit), row._replace(w=name), palette.text, bold=True)
            curve = Rect(row.x + name, row.y, max(0, row.w - name - number), row.h)
            charts.sparkline(painter, curve, series[digit], low, palette.accent)
            text = f"{100 * series[digit][-1]:.1f} %"
            place = Rect(row.right - number, row.y, number, row.h)
            painter.text(text, place, palette.muted, size=0.85, align="right")
        charts.confusion(painter, lower.below(line), epochs[-1].confusion or ())

    return Block(rect, tuple(epoch.confusion for epoch in epochs), paint)


# Lists


def _heading_block(state: PlayState, layout: Layout, listing: Listing) -> Block:
    count, heading = len(state.listed), listing.heading
    if state.studio.tab == "hardest":
        texts, end = ("What it is ✗ what the network said", "Is ✗ said"), listing.up.x
    else:
        texts = (f"{len(state.studio.binned)} in the bin",)
        texts = texts if state.studio.in_bin else (f"{count} run{'' if count == 1 else 's'}",)
        end = runs.bin_control(state, layout, listing).rect.x

    def paint(painter: Painter, rect: Rect) -> None:
        painter.fill(rect, painter.palette.ground)
        fits = text_width(texts[0], round(0.9 * painter.text_size)) <= rect.w
        painter.text(texts[0 if fits else -1], rect, painter.palette.muted, size=0.9)

    return Block(heading._replace(w=max(0, end - gap_of(layout) - heading.x)), texts, paint)


def _hard_block(state: PlayState, rect: Rect, index: int, digit: HardDigit) -> Block:
    action = f"hard:{index}"
    focused, hovered = state.focus == action, state.hover == action

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect, focused=focused, hovered=hovered)
        inner = rect.inset(painter.px(5))
        line = round(painter.text_size * 1.2)
        values = np.frombuffer(digit.pixels, np.uint8).reshape(digit.side, digit.side)
        painter.image(values, inner.top(inner.h - line), palette.paper, palette.ink)
        wrong = digit.label != digit.said
        text = (
            f"{digit.label} ✗ {digit.said}"
            if wrong
            else f"{digit.label} · {parts.percent(digit.probability)}"
        )
        color = palette.second if wrong else palette.muted
        painter.text(text, inner.below(inner.h - line), color, size=0.85, bold=wrong, align="centre")

    return Block(rect, (digit, focused, hovered), paint)


def _waiting_block(rect: Rect, text: str) -> Block:
    def paint(painter: Painter, rect: Rect) -> None:
        parts.card(painter, rect)
        painter.paragraph(text, rect.inset(painter.px(14)), painter.palette.muted)

    return Block(rect, text, paint)


SCREEN = Screen(blocks, controls)
