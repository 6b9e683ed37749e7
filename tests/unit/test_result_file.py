"""A result file is a table of steps, plain or in base64; whatever else it is stays as it came."""

from __future__ import annotations

import base64

import pytest

from ftjobs.jobs.curve import Curve
from ftjobs.jobs.result_file import curve_of_csv, read_result_file

TABLE = b"step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n1,2.5,0.1,,\n2,2.0,0.2,2.25,0.15\n"


def losses(content: bytes) -> list[tuple[int, float | None, float | None]]:
    return [(each.step, each.train_loss, each.valid_loss) for each in curve_of_csv(content).points]


@pytest.mark.parametrize(
    "content",
    [
        TABLE,
        b"\xef\xbb\xbf" + TABLE,
        TABLE.replace(b"\n", b"\r\n"),
        TABLE.replace(b"\n", b"\r"),
        b"\n\n , \n" + TABLE.replace(b",", b" , "),
        TABLE.upper(),
        TABLE.replace(b"2.5", b'"2.5"'),
        TABLE.replace(b"1,2.5", b"1.0,2.5"),
        TABLE + b"\nx,1,1\n,3\n0,1\n-1,1\n1.5,1\nnan,1\n",
        TABLE.replace(b"2,2.0", b"2,9\n2,2.0"),
        TABLE.replace(b"2.0", b"\x002.0"),
    ],
    ids=str,
)
def test_a_table_is_read_however_it_was_written(content: bytes) -> None:
    assert losses(content) == [(1, 2.5, None), (2, 2.0, 2.25)]
    assert read_result_file(content).kind == "csv"


def test_accuracies_come_under_their_own_names_and_nobody_told_a_total() -> None:
    curve = curve_of_csv(TABLE)
    assert [(each.train_accuracy, each.valid_accuracy) for each in curve.points] == [(0.1, None), (0.2, 0.15)]
    assert curve.total_steps is None


@pytest.mark.parametrize("encode", [base64.b64encode, base64.encodebytes])
def test_a_table_in_base64_is_taken_out_of_it(encode: object) -> None:
    assert callable(encode)
    file = read_result_file(encode(TABLE))
    assert (file.kind, file.content) == ("csv", TABLE)
    assert file.curve == curve_of_csv(TABLE)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"step",
        b"loss,epoch\n1,2\n",
        b"\xff\xfe\x00{}",
        b'{"step": 1}',
        base64.b64encode(b"something else"),
        base64.b64encode(TABLE) + b"!",
        base64.urlsafe_b64encode(b"\xff\xff\xfe" + TABLE),
    ],
    ids=str,
)
def test_what_is_no_table_stays_as_it_came(content: bytes) -> None:
    file = read_result_file(content)
    assert (file.kind, file.content) == ("unknown", content) if content != b"step" else file.curve == Curve()
    assert file.curve == Curve()


def test_numbers_that_are_none_were_not_measured() -> None:
    (told,) = curve_of_csv(b"step,train_loss,valid_loss\n1,nan,1e999\n").points
    assert (told.train_loss, told.valid_loss) == (None, None)


def test_rows_of_any_size_are_no_trouble() -> None:
    wide = b"step,train_loss" + b",x" * 50_000 + b"\n1,2" + b",9" * 50_000 + b"\n"
    assert losses(wide) == [(1, 2.0, None)]
    assert losses(TABLE + b'3,"' + b"9" * 300_000) == [(1, 2.5, None), (2, 2.0, 2.25)]
    assert losses(b"step,train_loss\n" + b"9" * 4_000 + b",1\n1,2\n") == [(1, 2.0, None)]
