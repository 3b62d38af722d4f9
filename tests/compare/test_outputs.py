"""What may be replaced: an earlier report, and nothing else."""

import os

import pytest

from consort_compare import outputs
from consort_compare.errors import CompareError


def made(path, mark=outputs.GENERATOR, operands=()):
    outputs.Outputs({str(path): mark}, operands).give_up()


def test_only_an_earlier_report_or_an_empty_file_is_replaced(tmp_path, usual):
    page, beside = tmp_path / "page.html", tmp_path / "page.json"
    page.write_text(usual.report()[0])
    beside.write_text('{\n "consort_compare": 1}')
    made(page)
    made(beside, outputs.DATA_KEY)
    made(tmp_path / "new.html")
    (tmp_path / "empty").touch()
    made(tmp_path / "empty")
    with pytest.raises(CompareError, match="was not made by consort compare"):
        made(beside)
    (tmp_path / "list.txt").write_text("a.wav\n")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "list.txt", tmp_path / "pipe"):
        with pytest.raises(CompareError, match="was not made by consort compare"):
            made(path)
    assert not [it for it in tmp_path.iterdir() if it.name.startswith(".")]


def test_what_is_to_be_read_is_not_replaced_by_whatever_name(tmp_path):
    (tmp_path / "list").touch()
    os.link(tmp_path / "list", tmp_path / "other")
    with pytest.raises(CompareError, match="is to be read"):
        made(tmp_path / "other", operands=["missing", str(tmp_path / "list")])
