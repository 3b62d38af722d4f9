"""Curves of memory-of-a-recording.json, a column a model: plot_memory.py JSON OUT..."""

import json
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

COLOURS = {"jemalloc": "#4477aa", "glibc": "#cc6677"}


def main(source, *outs):
    with open(source) as file:
        found = json.load(file)
    figure, row = plt.subplots(1, len(found["models"]), figsize=(6.5 * len(found["models"]), 4), squeeze=False)
    for axes, (model, curves) in zip(row[0], found["models"].items()):
        for allocator, samples in curves.items():
            minutes = [it[1] * found["seconds"] / 60 for it in samples]
            axes.plot(minutes, [it[2] for it in samples], color=COLOURS[allocator], linewidth=1, label=f"{allocator}, PSS")
            for column, style, name in ((3, "--", "PSS but for files"), (4, ":", "private")):
                axes.plot(minutes, [it[column] for it in samples], color=COLOURS[allocator], linewidth=1, linestyle=style,
                          label=f"{allocator}, {name}")
        axes.axvline(10, color="grey", linewidth=0.5)
        axes.set_ylim(bottom=0)
        axes.set_title(model, fontsize=10)
        axes.set_xlabel("minute of the recording")
        axes.set_ylabel("MiB, all processes")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=8)
    figure.tight_layout()
    for out in outs:
        figure.savefig(out, dpi=130)


if __name__ == "__main__":
    main(*sys.argv[1:])
