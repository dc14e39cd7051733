"""From the runs of a race to its figures and tables. Pure: no file, no clock.

SPDX-License-Identifier: MIT
"""
import dataclasses
import math
import statistics

# In a closed loop the server or the generator has work at any time. Where both had the processor
# for less of the time than so, others took it.
BUSY = 0.7

FIELDS = ("cpu_ns", "user_ns", "system_ns", "rate", "p50_us", "p99_us")


def reading(report):
    """What a run keeps of a report of `sockeye bench --json`: FIELDS, or {"error": why}."""
    errors = report["errors"]
    if errors["total"]:
        kinds = [f"{count} {kind}" for kind, count in errors.items() if kind != "total" and count]
        return {"error": ", ".join(kinds) or f"{errors['total']} errors"}
    if not report["messages"]:
        return {"error": "nothing was measured"}
    server = report["server"]
    return {
        "cpu_ns": server["user_ns_per_message"] + server["system_ns_per_message"],
        "user_ns": server["user_ns_per_message"],
        "system_ns": server["system_ns_per_message"],
        "rate": report["messages_per_second"],
        "p50_us": report["latency_us"]["p50"],
        "p99_us": report["latency_us"]["p99"],
        "generator_bound": report["generator"]["bottleneck"],
        "busy": max(server["cpu_share"], report["generator"]["cpu_share"]),
    }


@dataclasses.dataclass
class Figure:
    median: float
    low: float
    high: float


@dataclasses.dataclass
class Entry:
    """A server under a load. `figures` is by the names of FIELDS; empty where `void` says why."""
    figures: dict
    void: str = ""
    generator_bound: bool = False  # the generator, not the server, was at its limit

    def cpu(self):
        return self.figures["cpu_ns"].median


def entry(runs):
    errors = sorted({run["error"] for run in runs if "error" in run})
    if errors:
        return Entry({}, "; ".join(errors))
    figures = {}
    for field in FIELDS:
        values = [run[field] for run in runs]
        figures[field] = Figure(statistics.median(values), min(values), max(values))
    return Entry(figures, generator_bound=any(run["generator_bound"] for run in runs))


def entries(results, load):
    """{server's name: Entry} of a load, in the order of the results' servers."""
    runs = {}
    for run in results["runs"]:
        if run["load"] == load:
            runs.setdefault(run["server"], []).append(run)
    order = [server["name"] for server in results["servers"]]
    return {name: entry(runs[name]) for name in sorted(runs, key=order.index)}


def names_of(results, role):
    return [server["name"] for server in results["servers"] if server["role"] == role]


def best(found, names):
    """The name among `names` whose server takes the least CPU time; None where all are void."""
    valid = [name for name in names if name in found and not found[name].void]
    return min(valid, key=lambda name: found[name].cpu(), default=None)


def noise(results, load):
    """By how much two of the same differ, as in 0.03; None where it isn't known."""
    found = entries(results, load)
    pair = [found.get(name) for role in ("ours", "again") for name in names_of(results, role)]
    if len(pair) != 2 or None in pair or pair[0].void or pair[1].void:
        return None
    return abs(pair[0].cpu() - pair[1].cpu()) / min(pair[0].cpu(), pair[1].cpu())


def number(value):
    """Three significant digits, in full: 0.123, 4.56, 78.9, 1,234."""
    if value <= 0:
        return "0"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(value)))}f}"


def ratio(found, name, other):
    """"1.23" times; "" where one of them is missing or void."""
    if other is None or name not in found or other not in found:
        return ""
    if found[name].void or found[other].void:
        return ""
    return f"{found[name].cpu() / found[other].cpu():.2f}"


HEADINGS = ("server", "CPU ns", "from", "to", "user", "system", "x raw", "x best peer", "msg/s",
            "p50 µs", "p99 µs")


def rows(results, load):
    """The table of a load: cells in the order of HEADINGS, one row for each server."""
    found = entries(results, load)
    limit = best(found, names_of(results, "limit"))
    best_peer = best(found, names_of(results, "peer"))
    for name, one in found.items():
        if one.void:
            yield [name, "void: " + one.void] + [""] * (len(HEADINGS) - 2)
            continue
        cpu = one.figures["cpu_ns"]
        at_least = "≥ " if one.generator_bound else ""
        yield [name, *(number(value) for value in (cpu.median, cpu.low, cpu.high)),
               number(one.figures["user_ns"].median), number(one.figures["system_ns"].median),
               ratio(found, name, limit), ratio(found, name, best_peer),
               at_least + f"{one.figures['rate'].median:,.0f}",
               number(one.figures["p50_us"].median), number(one.figures["p99_us"].median)]


def loads_run(results):
    return list(dict.fromkeys(run["load"] for run in results["runs"]))


def arguments_of(results, load):
    return dict(map(tuple, results["loads"])).get(load, "")


def rounds_of(results):
    rounds = f"{results['rounds']} round{'s' * (results['rounds'] != 1)}"
    return f"{rounds} of {results['seconds']:g} s each"


def conditions(results):
    """One line: under what this was measured."""
    machine = results["machine"]
    return (f"{results['date']}; {machine['processors']} x {machine['processor']}, "
            f"Linux {machine['kernel']}, {machine['compiler']}; "
            f"{rounds_of(results)}; congestion control in both directions: "
            f"{machine['congestion_control']}")


def remarks(results):
    """What a reader must know about this race beside its figures."""
    lines = []
    if any(run.get("generator_bound") for run in results["runs"]):
        lines.append("≥ before a rate: the generator was at its limit, not the server, which could do more.")
    unchecked = [server["name"] for server in results["servers"]
                 if not server["checks_text"] and server["role"] != "limit"]
    if unchecked:
        lines.append("Accepts text that isn't UTF-8: " + ", ".join(unchecked) + ".")
    for load in loads_run(results):
        for name, one in entries(results, load).items():
            if one.void:
                lines.append(f"Void: {name} with {load} ({one.void}).")
    for name, reason in results["left_out"].items():
        lines.append(f"Left out: {name} ({reason}).")
    disturbed = sum(run.get("busy", 1) < BUSY for run in results["runs"])
    if disturbed:
        lines.append(f"In {disturbed} of {len(results['runs'])} runs other programs had the "
                     "processors for much of the time: measure again on a quiet machine.")
    return lines


def text(results):
    """All of it for a terminal."""
    parts = [conditions(results)]
    for load in loads_run(results):
        heading = f"{load}   {arguments_of(results, load)}   " \
                  f"({results['machine']['congestion_control']})"
        parts.append(heading + "\n" + aligned([HEADINGS, *rows(results, load)]))
        difference = noise(results, load)
        if difference is not None:
            parts[-1] += f"\nnoise: two of the same differ by {100 * difference:.1f} %"
    return "\n\n".join(parts + remarks(results))


def aligned(table):
    """Columns as wide as they must be: the first to the left, numbers to the right."""
    is_void = lambda row: row[1].startswith("void")  # why it is runs on to the right
    widths = [max(len(row[i]) for row in table if i == 0 or not is_void(row))
              for i in range(len(HEADINGS))]
    lines = []
    for row in table:
        cells = [row[1]] if is_void(row) else map(str.rjust, row[1:], widths[1:])
        lines.append("  ".join([row[0].ljust(widths[0]), *cells]))
    return "\n".join(lines)


def markdown(headings, table):
    lines = ["| " + " | ".join(headings) + " |", "|---" + "|---:" * (len(headings) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in table])


BEGIN, END = "<!-- the race: begin -->", "<!-- the race: end -->"


def put(readme, section):
    """The README with `section` between its two markers."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the README has no {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n{section}\n{END}{after}"


def microseconds(value_ns):
    return number(value_ns / 1000)


def overview(results, loads):
    """CPU time of each server under each load in µs, and what follows from it, as Markdown."""
    found = {load: entries(results, load) for load in loads}
    table = []
    for server in results["servers"]:
        name = server["name"]
        if server["role"] in ("again", "pair"):
            continue
        cells = [found[load].get(name) for load in loads]
        mark = "**" if server["role"] == "ours" else ""
        table.append([mark + name + mark] + [
            "" if cell is None else "void" if cell.void else mark + microseconds(cell.cpu()) + mark
            for cell in cells])
    for name in names_of(results, "ours"):
        for title, role in (("raw echo", "limit"), ("the best of the others", "peer")):
            table.append([f"{name} / {title}"] + [
                ratio(found[load], name, best(found[load], names_of(results, role)))
                for load in loads])
        table.append([f"of {name}, in the kernel"] + [kernel_share(found[load].get(name))
                                                      for load in loads])
    differences = [noise(results, load) for load in loads]
    if any(difference is not None for difference in differences):
        table.append(["noise: two of the same differ by"] + [
            "" if one is None else f"{100 * one:.0f} %" for one in differences])
    return markdown(["µs of CPU time", *loads], table)


def kernel_share(one):
    if one is None or one.void:
        return ""
    return f"{100 * one.figures['system_ns'].median / one.cpu():.0f} %"


def versions(results):
    told = [f"{server['name']} ({server['version']})" for server in results["servers"]
            if server["version"] and server["role"] not in ("again", "pair")]
    return "Versions: " + "; ".join(told) + "."


def method(results):
    """How it was measured, in sentences."""
    place = ("in a network namespace of its own" if results["own_network"]
             else "in the system's own network")
    return (
        f"Echo servers of the fewest lines, with what their documentation recommends "
        f"(`test/bench/peers`), each alone on one processor; `sockeye bench` on another, {place}. "
        f"Each echo's length and kind is checked; all but the raw echo unmask, and check that text "
        f"is UTF-8. Figures are medians over {rounds_of(results)}, in which the servers took turns "
        f"in changing order. \"Raw echo\" sends back what it receives, unparsed "
        f"(`test/bench/raw_echo.cc`): the least that epoll allows.\n\n"
        f"CPU time is what /proc says of the server's process, divided by the messages. On "
        f"loopback it holds what the kernel does to deliver, too, for that runs on the sender's "
        f"processor; user and system time are told apart by ticks of 10 ms, so roughly. Where most "
        f"of Sockeye's time passes in the kernel, the kernel decides: servers differ little there, "
        f"and what is less than the noise means nothing.")


def section(results, charts):
    """The README's part."""
    pairs = set(names_of(results, "pair"))
    loads = [load for load in loads_run(results) if not pairs & entries(results, load).keys()]
    parts = [
        f"Echo, 100 connections (1 MiB: 10), one message outstanding on each but where said. "
        f"{conditions(results)}.",
        overview(results, loads),
        f"![CPU time per message]({charts}/race-cpu.svg)",
        f"![latency]({charts}/race-latency.svg)",
        method(results),
        versions(results),
        *remarks(results),
        *pair_sentences(results),
        f"Rates, latencies, and spreads: [all tables]({charts}/race.md).",
    ]
    return "\n\n".join(parts)


def document(results):
    """All tables, as a Markdown file of their own."""
    parts = ["# The race: all tables", conditions(results) + ".", method(results),
             versions(results)]
    for load in loads_run(results):
        parts.append(f"## {load}\n\n`sockeye bench {arguments_of(results, load)}`; congestion "
                     f"control in both directions: {results['machine']['congestion_control']}")
        table = [row + [""] * (len(HEADINGS) - len(row)) for row in rows(results, load)]
        parts.append(markdown(HEADINGS, table))
        if "Sockeye, 2 threads" in entries(results, load):
            parts.append(threads_remark(results))
    return "\n\n".join(parts + remarks(results)) + "\n"


def pair_sentences(results):
    """What an option does for Sockeye, where both of a pair were measured."""
    for load in loads_run(results):
        found = entries(results, load)
        pair = [found.get(name) for name in names_of(results, "pair") if name in found]
        if len(pair) != 2 or any(one.void for one in pair):
            continue
        without, with_it = pair
        if "Sockeye, polls" in found:
            p50 = [one.figures["p50_us"].median for one in pair]
            yield (f"One connection that waits for each echo: half of them come within "
                   f"{number(p50[0])} µs, and with `--busy-poll 200` within {number(p50[1])} µs "
                   f"({p50[1] / p50[0]:.2f} x), which keeps its core busy all the time.")
        else:
            yield (f"Two threads take {with_it.cpu() / without.cpu():.2f} x the CPU time of one "
                   f"for a message.")


def threads_remark(results):
    if results["threads_apart"]:
        return "The server has two processors, and the generator two others."
    return ("Server and generator share this machine's two processors, so the rate says little. "
            "Where CPU time per message doesn't rise with the second thread, the threads share "
            "nothing that slows them.")
