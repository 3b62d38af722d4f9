"""Bars of peers.json: segments/s and memory of each, a column a model: plot.py JSON OUT..."""

import json
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

COLOURS = {"fp32": "#4477aa", "bf16": "#228833", "int8": "#ccbb44"}


def bars(axes, entries, value, spread, title):
    names = [f"{it['name'].removesuffix('-bf16')} {it['precision']}" for it in entries]
    values = [value(it) or 0 for it in entries]
    low_high = [spread(it) for it in entries] if spread else None
    errors = [[v - a for v, (a, b) in zip(values, low_high)], [b - v for v, (a, b) in zip(values, low_high)]] if spread else None
    drawn = axes.barh(names, values, xerr=errors, color=[COLOURS[it["precision"]] for it in entries], capsize=2,
                      edgecolor=["black" if it["name"] == "consort" else "none" for it in entries])
    axes.bar_label(drawn, labels=[f"{v:,.0f}" if v >= 100 else f"{v:.1f}" for v in values], padding=6, fontsize=8)
    axes.invert_yaxis()
    axes.set_title(title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(0, max(b for _, b in low_high) * 1.2 if spread else max(values, default=1) * 1.2)
    axes.tick_params(labelsize=8)


def limits(axes, entries, found):
    """A stroke where the limit lies."""
    for index, it in enumerate(entries):
        for limit in found["limits"] if it["name"] == "consort" else ():
            if limit["precision"] == it["precision"]:
                axes.plot([limit["segments_per_s"]["median"]] * 2, [index - 0.45, index + 0.45], color="black", linewidth=1.5)


def main(source, *outs):
    with open(source) as file:
        results = json.load(file)
    models = results["models"]
    most = max(len(it["contestants"]) for it in models.values())
    figure, rows = plt.subplots(2, len(models), figsize=(6.5 * len(models), 1.5 + 0.62 * most), squeeze=False)
    for column, (model, found) in enumerate(models.items()):
        entries = found["contestants"]
        bars(rows[0][column], entries, lambda it: it["segments_per_s"]["median"],
             lambda it: (it["segments_per_s"]["least"], it["segments_per_s"]["most"]),
             f"{model}: segments of 3 s a second (stroke: the limit)")
        limits(rows[0][column], entries, found)
        bars(rows[1][column], entries, lambda it: it["mean_pss_mib"], None, f"{model}: MiB of the process tree at work (mean PSS)")
    machine = results["machine"]
    figure.suptitle(f"{machine['cpus']} CPUs, {machine['cpu']}; {results['rounds']} interleaved rounds, least to most", fontsize=9)
    figure.tight_layout()
    for out in outs:
        figure.savefig(out, dpi=130)


if __name__ == "__main__":
    main(*sys.argv[1:])
