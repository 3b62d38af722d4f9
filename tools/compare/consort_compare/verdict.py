"""The paragraph on top: what was found, in words, by plain rules.

Each rule gives a sentence or nothing. None says more than the spread carries: two points "differ"
only if the 95 % interval of their ratio, round by round, leaves out 1; and a difference below
SMALL is not worth a sentence, however sure it is.
"""

from . import experiments, neighbours
from .experiments import Setting
from .html import spread_words
from .plan import NO_TIME

SMALL = 0.02


def percent(share):
    return f"{100 * share:.0f} %" if abs(share) >= 0.0995 else f"{100 * share:.1f} %"


def counted(number, word):
    plural = word + ("es" if word.endswith("s") else "s")
    return f"{number} {word if number == 1 else plural}"


def rate_words(per_second):
    """Three digits, or all that stand before the point."""
    return f"{per_second:,.0f}" if per_second >= 99.95 else f"{per_second:.3g}"


def split_words(setting):
    return f"{counted(setting.processes, 'process')} × {counted(setting.threads, 'thread')}"


def times(ratio):
    """1.62× (1.55–1.70)"""
    return f"{ratio.value:.2f}× ({ratio.low:.2f}–{ratio.high:.2f})"


def matters(ratio):
    return ratio is not None and ratio.differs and abs(ratio.value - 1) >= SMALL


def best_split(measured, roles, usable):
    """(the split to use, those as fast within the spread). Fewest engines first; among those less memory
    where that is sure; else more processes, since a death then costs less."""
    candidates = [Setting(roles.main.name, *split) for total in experiments.totals(usable) for split in experiments.splits(total)]
    candidates = [it for it in candidates if measured.get(it, "per_second")]
    if not candidates:
        return None, []
    fastest = max(candidates, key=lambda it: measured.get(it, "per_second").mean)
    equal = [it for it in candidates if it == fastest or not matters(measured.ratio(fastest, it, "per_second"))]
    fewest = [it for it in equal if it.engines == min(it.engines for it in equal)]
    known = [it for it in fewest if measured.get(it, "mean_pss_bytes")]
    if known:
        least = min(known, key=lambda it: measured.get(it, "mean_pss_bytes").mean)
        fewest = [it for it in known if it == least or not matters(measured.ratio(it, least, "mean_pss_bytes"))]
    best = max(fewest, key=lambda it: it.processes)
    return best, [it for it in equal if it != best]


def _split(measured, roles, usable):
    best, equal = best_split(measured, roles, usable)
    if best is None:
        return None
    rate = measured.get(best, "per_second")
    sentence = f"On this machine, with this model: {split_words(best)}, {rate_words(rate.mean)} segments/s ± {spread_words(rate.half)}."
    same_total = [it for it in equal if it.engines == best.engines]
    if same_total:
        do = "does" if len(same_total) == 1 else "do"
        sentence += f" {_list([split_words(it) for it in same_total])} {do} as much within the spread"
        if all(matters(measured.ratio(it, best, "mean_pss_bytes")) for it in same_total):
            sentence += "; the first takes the least memory"
        elif best.processes > max(it.processes for it in same_total) and _processes_lose_less(measured, roles, usable):
            sentence += "; with more processes a death costs less"
        sentence += "."
    others = [it for it in (Setting(roles.main.name, *split) for split in experiments.splits(best.engines))
              if it not in (best, *same_total) and matters(measured.ratio(it, best, "per_second"))]
    if others:
        sentence += " " + _list([f"{split_words(it)}: {_slower(measured.ratio(it, best, 'per_second'))}" for it in others]) + "."
    return sentence


def _slower(ratio):
    return f"{percent(1 - ratio.value)} slower" if ratio.value < 1 else f"{percent(ratio.value - 1)} faster"


def _list(words):
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _more_engines(measured, roles, usable):
    """Threads beyond the usable CPUs, at intra-op 1."""
    base, at = roles.base.name, Setting(roles.base.name, 1, usable)
    beyond = [it for it in measured.points if it.bundle == base and it == Setting(base, 1, it.threads) and it.threads > usable]
    if at not in measured or not beyond:
        return None
    most = max(beyond, key=lambda it: it.threads)
    rate, latency = measured.ratio(most, at, "per_second"), measured.ratio(most, at, "latency_mean_ms")
    if rate is None or latency is None:
        return None
    name = f"Threads beyond the {counted(usable, 'usable CPU')}"
    if matters(rate) and rate.value > 1:
        return (f"{name} still gain: with {most.threads} {percent(rate.value - 1)} more throughput, "
                f"a segment taking {times(latency)} as long.")
    gain = f"cost {percent(1 - rate.value)} of throughput" if matters(rate) else "bring no throughput that the spread shows"
    if not matters(latency):
        return f"{name} {gain}."
    return (f"{name} {gain}, and with {most.threads} a segment takes {times(latency)} as long, because engines wait for each other's CPUs"
            f"{_switches(measured, at, most)}.")


def _switches(measured, a, b):
    found = measured.ratio(b, a, "switches_per_segment")
    return f" (context switches a segment: {found.value:.1f}×)" if matters(found) and found.value > 1 else ""


def _intra(measured, roles, usable):
    """Intra-op above 1 with several engines."""
    base = roles.base.name
    if roles.base.backend == "aoti":
        return ("Intra-op threads could not be compared: this bundle's code has one thread compiled in. "
                "Give the same model's torchscript bundle with another -m.") if any(
                    it.bundle == base and it.intra > 1 for it in measured.points) else None
    pairs = [(Setting(base, 1, it.threads), it) for it in measured.points
             if it.bundle == base and it.intra > 1 and it == Setting(base, 1, it.threads, it.intra) and it.threads >= 2]
    found = [(measured.ratio(b, a, "per_second"), a, b) for a, b in pairs if a in measured]
    found = [it for it in found if it[0] is not None]
    if not found:
        return None
    slower = [it for it in found if matters(it[0]) and it[0].value < 1]
    faster = [it for it in found if matters(it[0]) and it[0].value > 1]
    # Of forty equal points two would seem to differ by chance, one to each side.
    if max(len(slower), len(faster)) <= 0.1 * len(found):
        return "With two engines or more, intra-op threads above 1 make no difference that the spread carries."
    if faster and len(faster) >= len(slower):
        ratio, _, b = max(faster, key=lambda it: it[0].value)
        return (f"Intra-op threads above 1 help in {len(faster)} of {len(found)} points with two engines or more, "
                f"at best {b.threads} engines with {b.intra} each: {times(ratio)} of the throughput with one.")
    ratio, a, b = min(slower, key=lambda it: it[0].value)
    sentence = (f"Intra-op threads above 1 are slower in {len(slower)} of {len(found)} points with two engines or more, "
                f"at worst {b.threads} engines with {b.intra} each: {times(ratio)} of the throughput with one")
    use_a, use_b = measured.get(a, "cpu_of_usable"), measured.get(b, "cpu_of_usable")
    cost = measured.ratio(b, a, "cpu_ms_per_segment")
    if matters(cost) and cost.value > 1 and use_a and use_b:
        return (sentence + f", because the pools' threads wait for each other: a segment costs {cost.value:.1f}× the CPU time, "
                f"at a CPU use of {percent(use_b.mean)} against {percent(use_a.mean)} with one.")
    if use_a and use_b and use_b.mean < use_a.mean * (1 - SMALL):
        return sentence + f": CPUs are used to {percent(use_b.mean)} instead of {percent(use_a.mean)}."
    return sentence + "."


def _one_or_many(measured, roles, usable):
    """Processes against threads at the largest total."""
    total = experiments.totals(usable)[-1]
    threads, processes = Setting(roles.main.name, 1, total), Setting(roles.main.name, total, 1)
    rate = measured.ratio(processes, threads, "per_second")
    memory = measured.ratio(processes, threads, "mean_pss_bytes")
    if total < 2 or rate is None or memory is None:
        return None
    if not matters(rate):
        speed = f"{total} processes and {total} threads of one process are equally fast within the spread"
    else:
        speed = f"{total} processes are {_slower(rate)} than {total} threads of one process"
    if not matters(memory):
        return f"{speed}, and take the same memory."
    return f"{speed}, and take {times(memory)} the memory (weights are shared either way)."


def _deaths(roles, usable):
    """(processes, threads): the two ends of the largest total, with a death."""
    total = experiments.totals(usable)[-1]
    return tuple(Setting(roles.main.name, *split, kill=True) for split in ((total, 1), (1, total)))


def _processes_lose_less(measured, roles, usable):
    """Whether that was seen here."""
    ratio = measured.ratio(*_deaths(roles, usable), "death_lost_ms")
    return matters(ratio) and ratio.value < 1


def _death(measured, roles, usable):
    """What one process's end costs, at the largest total."""
    total = experiments.totals(usable)[-1]
    processes, threads = _deaths(roles, usable)
    ratio = measured.ratio(processes, threads, "death_lost_ms")
    if total < 2 or ratio is None:
        return None
    if not matters(ratio):
        return f"A worker's death loses about as much work with {total} processes as with one of {total} threads."
    lost, all_lost = (measured.get(it, "death_lost_ms") for it in (processes, threads))
    return (f"A worker's death loses {lost.mean:.0f} ms of engines' work with {total} processes, "
            f"{all_lost.mean:.0f} ms with {total} threads in one.")


def headline(measured, roles, count, glibc=True):
    """[(published words, what it corresponds to, Ratio or None)]: consort ÷ naive, one backend."""
    chains = experiments.chains(roles, count, glibc)
    by_name = {kind: {step.name: step.setting for step in chain} for kind, chain in chains.items()}
    threads, processes = by_name["threads"], by_name["processes"]

    def ratio(chain, after, before, metric):
        return measured.ratio(chain[after], chain[before], metric) if after in chain and before in chain else None

    last = "+ jemalloc" if glibc else "pools off"
    return [
        ("latency −37.5 %", f"{count} threads, naive → pools off{' and jemalloc' if glibc else ''}: mean latency of a segment",
         ratio(threads, last, "naive", "latency_mean_ms")),
        ("memory −50 %", f"{count} processes, naive → {'jemalloc and ' if glibc else ''}shared weights: average PSS",
         ratio(processes, "+ shared weights", "naive", "mean_pss_bytes")),
        ("peak memory −34 % (jemalloc)", f"{count} threads, pools off, glibc → jemalloc: peak PSS",
         ratio(threads, "+ jemalloc", "pools off", "peak_pss_bytes")),
        ("average memory −53 % (jemalloc)", f"{count} threads, pools off, glibc → jemalloc: average PSS",
         ratio(threads, "+ jemalloc", "pools off", "mean_pss_bytes")),
    ]


def _naive(measured, roles, usable, glibc):
    count = experiments.equal_counts(usable)[-1]
    rows = headline(measured, roles, count, glibc)
    latency, memory = rows[0][2], rows[1][2]
    said = []
    if latency is not None:
        change = f"a segment takes {times(latency)} of the time" if matters(latency) else "latency is the same within the spread"
        said.append(f"switching LibTorch's pools off{' and taking jemalloc' if glibc else ''}, {change}")
    if memory is not None:
        change = f"{times(memory)} of the memory" if matters(memory) else "the same memory within the spread"
        said.append(f"sharing the weights {'and taking jemalloc ' if glibc else ''}instead of a copy in each process, {change}")
    if not said:
        return None
    return f"Against naive programs with {count} engines, on one backend ({roles.base.backend}): by " + "; by ".join(said) + "."


def _backends(measured, roles, usable):
    settings = [Setting(it.name, usable, 1) for it in roles.same]
    found = [it for it in settings if measured.get(it, "per_second")]
    if len(found) < 2:
        return None
    fastest = max(found, key=lambda it: measured.get(it, "per_second").mean)
    rest = [(it, measured.ratio(fastest, it, "per_second")) for it in found if it != fastest]
    words = [f"{times(ratio)} {it.bundle}" for it, ratio in rest if matters(ratio)]
    if not words:
        return None
    first = [fastest.bundle, *(it.bundle for it, ratio in rest if not matters(ratio))]
    if len(first) == 1:
        return f"Of this model's bundles {fastest.bundle} is the fastest: {_list(words)}."
    return f"Of this model's bundles {_list(first)} are the fastest, as fast as each other within the spread: {_list(words)}."


def _spread(measured, interrupted):
    wide = [it for it in measured.points.values() if it.wide]
    typical = measured.spread_of_all("per_second")
    sentence = f"Half of all points have a throughput of ± {spread_words(typical)} or better (95 % interval)." if typical is not None else ""
    if wide:
        have = "has" if len(wide) == 1 else "have"
        sentence += f" {counted(len(wide), 'point')} of {len(measured.points)} {have} a wide spread, marked ≈: believe them less."
    if interrupted:
        sentence += " The comparison was ended early."
    return sentence.strip() or None


def _quiet(others):
    """`others`: what else had of the CPUs. It favours whoever has most threads, and no repeat shows that."""
    if others is None or others < neighbours.MUCH:
        return None
    return (f"The machine was not quiet: others had {percent(others)} of its CPUs meanwhile, which favours points with many threads. "
            "What follows is a sketch; measure again when nothing else runs.")


def _of_base(roles, sentence):
    """Names the bundle whose figures these are, where it is not the one that the first sentence means."""
    return f"With {roles.base.name}: {sentence}" if sentence and roles.base != roles.main else sentence


def _unmeasured(measured, roles, dropped):
    """Bundles that were named, and of which there is nothing to say."""
    said = []
    for bundle in (*roles.same, *roles.others):
        if any(it.bundle == bundle.name for it in measured.points):
            continue
        why = next((why for setting, why in dropped if setting.bundle == bundle.name), NO_TIME)
        said.append(f"{bundle.name} was not measured: {why}" + ("; give more --minutes." if why == NO_TIME else "."))
    return " ".join(said) or None


def sentences(measured, roles, usable, glibc=True, interrupted=False, others=None, dropped=()):
    """The paragraph, a sentence or a few for each rule that has something to say. `dropped`: [(setting, why)]."""
    found = [_quiet(others), _split(measured, roles, usable), _one_or_many(measured, roles, usable), _death(measured, roles, usable),
             *[_of_base(roles, it) for it in (_more_engines(measured, roles, usable), _intra(measured, roles, usable),
                                              _naive(measured, roles, usable, glibc))],
             _backends(measured, roles, usable), _unmeasured(measured, roles, dropped), _spread(measured, interrupted)]
    return [it for it in found if it]
