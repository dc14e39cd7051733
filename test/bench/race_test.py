"""What the race makes of its runs: medians, void figures, ratios, tables, the README's part.

SPDX-License-Identifier: MIT
"""
import unittest

import race_servers
import race_tables


def report(user_ns=100, system_ns=900, errors=None, messages=10, busy=1):
    return {
        "messages": messages, "messages_per_second": 1e9 / (user_ns + system_ns),
        "latency_us": {"p50": 10, "p99": 20},
        "errors": {"total": sum((errors or {}).values()), **(errors or {})},
        "server": {"user_ns_per_message": user_ns, "system_ns_per_message": system_ns,
                   "cpu_share": busy},
        "generator": {"bottleneck": False, "cpu_share": 0.5},
    }


def results(reports, load="20 B"):
    """A race of one load: {(name, role): one report a round}."""
    return {
        "date": "2026-01-31", "rounds": 3, "seconds": 2, "own_network": True, "left_out": {},
        "machine": {"processor": "Z80", "processors": 2, "kernel": "6.1", "compiler": "g++ 12",
                    "congestion_control": "cubic"},
        "loads": [[load, "-c 100 -s 20"]],
        "servers": [{"name": name, "role": role, "version": "1", "checks_text": True}
                    for name, role in reports],
        "runs": [{"load": load, "server": name, "round": i, **race_tables.reading(one)}
                 for (name, _), each in reports.items() for i, one in enumerate(each)],
    }


class Race(unittest.TestCase):
    def test_a_figure_is_the_median_over_the_rounds_with_its_range(self):
        three = results({("Sockeye", "ours"): [report(300), report(100), report(700)]})
        cpu = race_tables.entries(three, "20 B")["Sockeye"].figures["cpu_ns"]
        self.assertEqual((cpu.median, cpu.low, cpu.high), (1200, 1000, 1600))

    def test_one_error_in_one_round_makes_the_figure_void_and_says_why(self):
        one = results({("Sockeye", "ours"): [report(), report(errors={"wrong_length": 3})],
                       ("Beast", "peer"): [report(), report()]})
        entry = race_tables.entries(one, "20 B")["Sockeye"]
        self.assertEqual(entry.void, "3 wrong_length")
        self.assertEqual(entry.figures, {})
        for text in (race_tables.text(one), race_tables.section(one, "charts"),
                     race_tables.document(one)):
            self.assertIn("3 wrong_length", text)
        self.assertIn("| **Sockeye** | void |", race_tables.section(one, "charts"))

    def test_nothing_measured_is_void(self):
        self.assertIn("error", race_tables.reading(report(messages=0)))

    def test_ratios_are_to_the_raw_echo_and_to_the_best_of_the_others(self):
        raced = results({("raw", "limit"): [report(100, 400)],
                         ("Sockeye", "ours"): [report(350, 400)],
                         ("slow", "peer"): [report(2600, 400)],
                         ("fast", "peer"): [report(600, 400)],
                         ("broken", "peer"): [report(1, 1, errors={"timeout": 1})]})
        table = {row[0]: row for row in race_tables.rows(raced, "20 B")}
        self.assertEqual(table["Sockeye"][6:8], ["1.50", "0.75"])
        self.assertEqual(table["slow"][6:8], ["6.00", "3.00"])
        section = race_tables.section(raced, "charts")
        self.assertIn("| Sockeye / raw echo | 1.50 |", section)
        self.assertIn("| Sockeye / the best of the others | 0.75 |", section)
        self.assertIn("| of Sockeye, in the kernel | 53 % |", section)

    def test_noise_is_what_two_of_the_same_differ_by(self):
        pair = results({("Sockeye", "ours"): [report(100)], ("again", "again"): [report(200)]})
        self.assertAlmostEqual(race_tables.noise(pair, "20 B"), 0.1)
        self.assertIn("two of the same differ by 10.0 %", race_tables.text(pair))
        alone = results({("Sockeye", "ours"): [report(100)]})
        self.assertIsNone(race_tables.noise(alone, "20 B"))

    def test_every_table_says_the_congestion_control_and_the_conditions(self):
        one = results({("Sockeye", "ours"): [report()]})
        for text in (race_tables.text(one), race_tables.section(one, "charts"),
                     race_tables.document(one)):
            for word in ("cubic", "Z80", "6.1", "g++ 12", "2026-01-31", "3 rounds of 2 s"):
                self.assertIn(word, text)

    def test_a_machine_with_other_work_to_do_is_told(self):
        quiet = results({("Sockeye", "ours"): [report(busy=0.9), report(busy=1.9)]})
        self.assertEqual(race_tables.remarks(quiet), [])
        loud = results({("Sockeye", "ours"): [report(busy=0.9), report(busy=0.3)]})
        self.assertIn("In 1 of 2 runs other programs had", race_tables.text(loud))
        self.assertIn("In 1 of 2 runs other programs had", race_tables.section(loud, "charts"))

    def test_who_is_left_out_or_leaves_text_unchecked_is_named(self):
        one = results({("Sockeye", "ours"): [report()], ("lax", "peer"): [report()]})
        one["servers"][1]["checks_text"] = False
        one["left_out"] = {"Beast": "no such package"}
        for text in (race_tables.text(one), race_tables.section(one, "charts")):
            self.assertIn("Left out: Beast (no such package).", text)
            self.assertIn("Accepts text that isn't UTF-8: lax.", text)

    def test_numbers_have_three_significant_digits(self):
        told = [race_tables.number(value) for value in (0.01234, 1, 12.345, 999.4, 123456, 0)]
        self.assertEqual(told, ["0.0123", "1.00", "12.3", "999", "123,456", "0"])

    def test_every_row_of_a_markdown_table_has_as_many_cells(self):
        raced = results({("raw", "limit"): [report()], ("Sockeye", "ours"): [report()],
                         ("broken", "peer"): [report(errors={"timeout": 1})]})
        for text in (race_tables.section(raced, "charts"), race_tables.document(raced)):
            tables = [part for part in text.split("\n\n") if part.startswith("|")]
            self.assertTrue(tables)
            for table in tables:
                self.assertEqual(len({line.count("|") for line in table.splitlines()}), 1, table)

    def test_the_readmes_part_goes_between_its_markers(self):
        readme = f"before\n{race_tables.BEGIN}\nold\n{race_tables.END}\nafter\n"
        self.assertEqual(race_tables.put(readme, "new"), readme.replace("old", "new"))
        self.assertEqual(race_tables.put(race_tables.put(readme, "x"), "new"),
                         readme.replace("old", "new"))
        with self.assertRaises(ValueError):
            race_tables.put("no markers", "new")

    def test_peers_names_servers_with_a_port(self):
        servers = race_servers.from_variable("uWS=./echo PORT ; x = y -p PORT")
        self.assertEqual([server.name for server in servers], ["uWS", "x"])
        self.assertEqual(race_servers.command_of(servers[1], 99), ["sh", "-c", "exec y -p 99"])
        self.assertEqual(race_servers.from_variable(""), [])
        for wrong in ("uWS", "uWS=./echo"):
            with self.assertRaises(ValueError):
                race_servers.from_variable(wrong)


if __name__ == "__main__":
    unittest.main()
