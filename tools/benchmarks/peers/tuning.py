"""Each peer's best settings by measuring: one list of choices after the other, two runs each."""

import hashlib
import json

from benchmarks import common
from benchmarks.peers import contest, contestants, environment

KEPT = environment.MADE / "peers-tuning.json"
ROUNDS = 2
SECONDS = 3.0


def _key(one):
    """What the choice depends on."""
    digest = hashlib.sha256(environment.REQUIREMENTS.read_bytes())
    for script in sorted(environment.SCRIPTS.glob("*.py")):
        digest.update(script.read_bytes())
    machine = environment.machine()
    digest.update(f"{machine['cpu']} {machine['cpus']} {one.settings} {one.choices}".encode())
    return f"{one.model} {one.name} {digest.hexdigest()[:16]}"


def _rate(one, work):
    """Segments/s by the better of the runs; 0 if it cannot run like that."""
    first = contest.run(one, work.list(1), work.folder)
    if "failed" in first:
        return 0.0
    work.segments = first["segments"]
    return max(contest.run(one, work.list_for(first["rate"], SECONDS), work.folder).get("rate", 0.0) for _ in range(ROUNDS))


def _tune(one, work):
    tried = []
    for choice in one.choices:
        before, rates = one.settings, []
        for settings in choice:
            one.settings = before | settings
            known = [rate for seen, rate in tried if seen == one.settings]
            rates.append(known[0] if known else _rate(one, work))
            tried.append((one.settings, rates[-1]))
            print(f"  {one.model} {one.name}: {rates[-1]:.1f} segments/s with "
                  + ", ".join(f"{key} {value}" for key, value in settings.items()), flush=True)
        one.settings = before | choice[rates.index(max(rates))]
    return tried


def _likely(one):
    """What wins most often is the last of each list."""
    return {key: value for choice in one.choices for key, value in choice[-1].items()}


def chosen(work, field, again, quick):
    """Sets the peers' settings; {name: what was tried and kept}. Quick: measures nothing."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() and not again else {}
    found = {}
    for one in field:
        if not isinstance(one, contestants.Peer) or one.like:
            continue
        key = _key(one)
        if key not in kept and quick:
            one.settings = one.settings | _likely(one)
            found[one.name] = {"settings": _likely(one), "tried": []}
            continue
        if key not in kept:
            plain = one.settings
            tried = _tune(one, work)
            own = {name: value for name, value in one.settings.items() if plain.get(name) != value}
            kept[key] = {"settings": own, "tried": [{**{k: v for k, v in seen.items() if k not in ("model", "script")},
                                                      "segments_per_s": rate} for seen, rate in tried]}
            KEPT.parent.mkdir(parents=True, exist_ok=True)
            KEPT.write_text(json.dumps(kept, indent=1))
        else:
            one.settings = one.settings | kept[key]["settings"]
        found[one.name] = kept[key]
    for one in field:
        if getattr(one, "like", ""):
            model = next((it for it in field if it.name == one.like), None)
            if model is None:
                common.fail(f"{one.name} takes its settings from {one.like}: name both in --only")
            one.settings = model.settings | {"script": one.settings["script"]}
            found[one.name] = {"settings": f"those of {one.like}"}
    return found
