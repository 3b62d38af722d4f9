"""tools/check/compare-repeats: equal machines agree, others do not."""

import json

import pytest

from check import check_compare_repeats
from conftest import Comparison
from world import World


@pytest.fixture
def kept(tmp_path):
    def keep(name, **world):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(Comparison(World(**world)).data()))
        return str(path)
    return keep


def test_equal_machines_agree_and_slower_ones_do_not(kept, capsys):
    one, again, slower = kept("one", seed=1), kept("again", seed=2), kept("slower", seed=3, engine_rate=40.0)
    assert check_compare_repeats.main([one, again]) == 0
    assert "points agree" in capsys.readouterr().out
    assert check_compare_repeats.main([one, slower]) == 1
    assert "was to be expected" in capsys.readouterr().out


def test_what_is_no_report_is_told(kept, tmp_path):
    other = tmp_path / "other.json"
    other.write_text("[]")
    with pytest.raises(SystemExit, match="is not the data of a report"):
        check_compare_repeats.main([kept("one"), str(other)])
    with pytest.raises(SystemExit, match="could not read"):
        check_compare_repeats.main([kept("two"), str(tmp_path / "none.json")])
