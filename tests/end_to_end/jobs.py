"""Jobs that have ended with results of a test's own choice."""

import sqlite3


def put_results(out, lines):
    """`lines` (text) in the place of a finished job's results, as if its model had said so."""
    content = "".join(line + "\n" for line in lines).encode()
    out.write_bytes(content)
    put_counted(out, len(content))


def put_counted(out, size):
    """So many bytes of the results count; what is behind them has been written and not counted yet."""
    with sqlite3.connect(f"{out}.job/journal.db") as journal:
        journal.execute("UPDATE job SET bytes = ?", (size,))
    journal.close()
