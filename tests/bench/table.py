# SPDX-License-Identifier: Apache-2.0
"""The table of results: both figures, their ratio, the aim and whether it is met."""
import os
import platform


def figure(value):
    return "%.0f" % value if abs(value) >= 100 or value == int(value) else "%.2f" % value


class Table:
    def __init__(self):
        self.rows = [("", "ours", "peer", "unit", "ratio", "aim", "")]

    def ratio(self, what, unit, values, aim=None, more=False):
        """A row for (ours, peer), whose ratio is to be at most `aim`; at least, with `more`."""
        ours, peer = values
        ratio = ours / peer if peer else float("inf")
        met = aim is None or (ratio >= aim if more else ratio <= aim)
        sign = "≥" if more else "≤"
        self._add(what, ours, peer, unit, "%.3f" % ratio, "%s %.2f" % (sign, aim) if aim else "",
                  met)

    def limit(self, what, unit, values, aim):
        """A row for (ours, peer) where ours itself is to be at most `aim`."""
        ours, peer = values
        self._add(what, ours, peer, unit, "", "≤ %s" % aim, ours <= aim)

    def _add(self, what, ours, peer, unit, ratio, aim, met):
        verdict = "" if not aim else "met" if met else "MISSED"
        self.rows.append((what, figure(ours), figure(peer), unit, ratio, aim, verdict))

    def show(self, ours, peer, oci):
        print("%s against %s, both with %s; Linux %s on %d %s processors" % (
            ours, peer, oci, platform.release(), os.cpu_count(), platform.machine()))
        widths = [max(len(row[i]) for row in self.rows) for i in range(7)]
        for row in self.rows:
            print("  ".join(cell.ljust(width) if i in (0, 3, 6) else cell.rjust(width)
                            for i, (cell, width) in enumerate(zip(row, widths))).rstrip())
