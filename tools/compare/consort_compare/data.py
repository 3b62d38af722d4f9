"""What a report is made of, for programs. docs/process-vs-thread.md tells the keys."""

import datetime

from . import measure

FORMAT = 1


def data(outcome, measured, roles, machine, audio, options, words):
    bundles = (*roles.same, *roles.others)
    return {
        "consort_compare": FORMAT,
        "made": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": options["command"],
        "words": words,
        "machine": machine,
        "audio": audio,
        "bundles": [{"name": it.name, "model": it.model, "backend": it.backend, "precision": it.precision, "packed": it.packed,
                     "same_model": it in roles.same} for it in bundles],
        "plan": {"minutes": options["minutes"], "elapsed_s": round(outcome.elapsed, 1), "rounds": outcome.rounds,
                 "planned_rounds": outcome.planned_rounds, "seconds": [round(it, 3) for it in outcome.seconds],
                 "order": outcome.order, "interrupted_by": outcome.interrupted,
                 "dropped": [{"point": setting.key, "why": why} for setting, why in outcome.dropped]},
        "points": [_point(it, roles) for it in sorted(measured.points.values(), key=lambda it: it.setting.key)],
        "runs": outcome.raw,
    }


def _point(point, roles):
    setting = point.setting
    return {
        "point": setting.key, "bundle": setting.bundle, "processes": setting.processes, "threads": setting.threads,
        "intra": setting.intra or "default", "glibc": setting.glibc, "copied_weights": setting.copied,
        "template": setting.template, "pinned": setting.pinned, "kill": setting.kill, "long": setting.long,
        "command": measure.command_words(setting, setting.bundle), "wide": point.wide,
        "estimates": {name: {"mean": it.mean, "low": it.low, "high": it.high, "half": it.half, "repeats": it.repeats}
                      for name, it in point.estimates.items()},
        "runs": {str(number): run for number, run in sorted(point.runs.items())},
    }
