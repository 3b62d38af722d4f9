"""`consort compare`: threads, processes, or both? Measures with `consort run`, writes one HTML report.

    cli → session ─┬→ experiments (which points) → plan (what fits the time, in which order)
                   ├→ measure (one real run each) → figures → spread (what repeats say)
                   └→ report ← verdict (words), sections (figures and tables: drawing, html), data, machine
"""
