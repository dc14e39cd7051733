"""A race as two pictures: what a message costs the server, and how long it takes.

Colours and greys are of middling lightness, on no background: to be read on light and on dark.

SPDX-License-Identifier: MIT
"""
import math

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({
    "svg.fonttype": "none", "svg.hashsalt": "sockeye",  # text as text; the same picture each time
    "font.family": "sans-serif", "font.size": 9,
    "text.color": "#7a7a7a", "axes.labelcolor": "#7a7a7a", "axes.edgecolor": "#7a7a7a",
    "xtick.color": "#7a7a7a", "ytick.color": "#7a7a7a",
})
import matplotlib.pyplot as pyplot

import race_tables

COLOURS = {"ours": "#e8590c", "peer": "#4c8bd0", "limit": "#8c8c8c"}
COLUMNS = 4
LONGEST = 4  # bars longer than so many times Sockeye's are cut off, and say so


def scale_of(values_ns):
    """(divisor, unit) for nanoseconds."""
    return (1e6, "ms") if max(values_ns) >= 1e6 else (1e3, "µs")


def shown(results, load):
    """[(role, name, Entry)] that a panel shows, first one on top; without the void ones."""
    roles = {server["name"]: server["role"] for server in results["servers"]}
    return [(roles[name], name, entry) for name, entry in race_tables.entries(results, load).items()
            if roles[name] in COLOURS and not entry.void]


def panels(results, draw):
    """A figure with one panel for each load that servers raced under."""
    loads = [load for load in race_tables.loads_run(results) if shown(results, load)]
    lines = math.ceil(len(loads) / COLUMNS)
    figure, axes = pyplot.subplots(lines, COLUMNS, figsize=(13, 0.6 + 2.6 * lines), squeeze=False)
    for i, axis in enumerate(axes.flat):
        if i >= len(loads):
            axis.set_axis_off()
            continue
        one = shown(results, loads[i])
        draw(axis, one)
        axis.set_title(loads[i], fontweight="bold")
        axis.set_yticks(range(len(one)), [name for _, name, _ in one])
        for label, (role, _, _) in zip(axis.get_yticklabels(), one):
            label.set_fontweight("bold" if role == "ours" else "normal")
        axis.invert_yaxis()
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def longest_of(one, value):
    """Where the axis ends: at the longest bar that isn't out of all proportion."""
    ours = [value(entry) for role, _, entry in one if role == "ours"]
    cut = LONGEST * (ours[0] if ours else min(value(entry) for _, _, entry in one))
    return max([value(entry) for _, _, entry in one if value(entry) <= cut], default=cut)


def tell(axis, line, end, value, is_cut):
    """Writes the value at the end of its bar."""
    axis.annotate(("▸ " if is_cut else "") + race_tables.number(value), (end, line), (5, 0),
                  textcoords="offset points", va="center", annotation_clip=False)


def draw_cpu(axis, one):
    end = longest_of(one, race_tables.Entry.cpu)
    divisor, unit = scale_of([end])
    for i, (role, _, entry) in enumerate(one):
        user, system = (entry.figures[name].median / divisor for name in ("user_ns", "system_ns"))
        cpu = entry.figures["cpu_ns"]
        axis.barh(i, user, color=COLOURS[role])
        axis.barh(i, system, left=user, color=COLOURS[role], alpha=0.45)
        is_cut = cpu.median > end
        at = (end if is_cut else cpu.high) / divisor
        if not is_cut:
            axis.plot([cpu.low / divisor, cpu.high / divisor], [i, i], color="#7a7a7a", linewidth=1)
        tell(axis, i, at, cpu.median / divisor, is_cut)
    axis.set_xlim(0, end / divisor)
    axis.set_xlabel(f"server's CPU time, {unit}")


def draw_latency(axis, one):
    p99 = lambda entry: entry.figures["p99_us"].median
    end = longest_of(one, p99)
    divisor, unit = scale_of([1000 * end])
    for i, (role, _, entry) in enumerate(one):
        low, high = (1000 * entry.figures[name].median / divisor for name in ("p50_us", "p99_us"))
        last = 1000 * end / divisor
        is_cut = high > last
        axis.plot([min(low, last), min(high, last)], [i, i], color=COLOURS[role], linewidth=2)
        axis.plot([min(low, last)], [i], "o", color=COLOURS[role], markersize=5)
        axis.plot([min(high, last)], [i], "|", color=COLOURS[role], markersize=9)
        tell(axis, i, min(high, last), high, is_cut)
    axis.set_xlim(0, 1000 * end / divisor)
    axis.set_xlabel(f"latency, {unit}")


def save(figure, heading, path):
    figure.suptitle(heading, fontsize=10)
    figure.tight_layout(w_pad=3)
    figure.savefig(path, transparent=True, metadata={"Date": None})
    pyplot.close(figure)


def write(results, folder):
    save(panels(results, draw_cpu),
         "CPU time of the server for each message or handshake: in user space, and (pale) in the "
         "kernel; the thin line spans the rounds; shorter is better", f"{folder}/race-cpu.svg")
    save(panels(results, draw_latency),
         "From a message's sending to its echo, or from connecting to the end of the handshake: "
         "median (dot) and 99th percentile (figure); shorter is better",
         f"{folder}/race-latency.svg")
