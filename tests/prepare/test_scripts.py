"""The scripts that start consort-prepare and its sisters, and those that make what they need."""

import os
import shutil
import subprocess

import pytest

from conftest import ROOT


def installed(folder, name):
    """The script as a build writes it, in a build folder elsewhere."""
    with open(os.path.join(ROOT, "tools", name, f"consort-{name}.in"), encoding="utf-8") as file:
        text = file.read().replace("@CONSORT_ROOT@", ROOT)
    path = folder / "build" / "release" / "bin" / f"consort-{name}"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["prepare", "models", "compare"])
def test_no_file_of_the_current_folder_stands_in_for_one_of_pythons(tmp_path, name):
    for module in ("signal", "copy", "statistics", "argparse"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('this is not the module of Python')\n")
    done = subprocess.run(["bash", installed(tmp_path, name), "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "this is not the module" not in done.stderr, done.stderr


@pytest.mark.parametrize("is_there, offered, taken", [
    (False, "2.13.0+cpu, 2.12.0+cpu", True), (False, "2.14.0, 2.13.0, 2.13.0+cpu", True), (False, "2.14.0, 2.13.0, 2.12.1", False),
    (False, "2.12.1", True), (False, None, True), (True, "2.13.0", True)])
def test_a_torch_for_gpus_is_refused_before_it_is_downloaded(tmp_path, is_there, offered, taken):
    python = tmp_path / "python"
    python.write_text(f"""#!/bin/bash
case "$*" in
  *" pip show "*) exit {0 if is_there else 1} ;;
  *" pip index versions "*) {"exit 1" if offered is None else f"echo 'Available versions: {offered}'"} ;;
esac
""")
    python.chmod(0o755)
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", 'source "$0/tools/lib/python.sh"; offers_cpu_torch "$1" 2.13.0 || exit 3', ROOT, python])
    assert done.returncode == (0 if taken else 3)


def test_a_model_is_made_again_when_the_package_of_its_weights_is_another(tmp_path):
    root, made = tmp_path / "a clone", tmp_path / "made"
    package, python = root / "build/python/lib/python3.11/site-packages/silero_vad-6.dist-info", root / "build/python/bin/python"
    for folder in (package, python.parent, root / "tools/models", root / "build/models"):
        folder.mkdir(parents=True)
    python.write_text(f"""#!/bin/bash
if [[ $1 == *.py ]]; then echo made >>"{made}" && touch "$2"; fi
""")
    python.chmod(0o755)
    shutil.copy(os.path.join(ROOT, "tools/models/make"), root / "tools/models/make")
    for name, time in (("tools/models/silero.py", 1000), ("tools/models/common.py", 1000), ("build/models/silero.pt", 2000)):
        (root / name).touch()
        os.utime(root / name, (time, time))

    def times_made():
        subprocess.run([root / "tools/models/make", "silero"], check=True, capture_output=True)
        return made.read_text().count("made") if made.exists() else 0

    os.utime(package, (1500, 1500))
    assert times_made() == 0
    os.utime(package, (3000, 3000))
    assert times_made() == 1
    assert times_made() == 1
