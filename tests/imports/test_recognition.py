"""What a file is, by its beginning; and whatever a file holds, an answer and never a traceback."""

import csv
import gzip
import random
import zipfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plimsoll.imports.reading import FORMATS, Complaint, NotReadable, Options, ToldLine, open_statement
from plimsoll.imports.statement import COMPLAINT_LIMIT
from plimsoll.model.errors import Illegal
from tests.builders.statements import read, written

HEADER = "time,symbol,side,quantity,price"
FILL = "2022-01-21T10:05:00Z,BTC/USDT,buy,0.5,38000"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_the_same_statement_is_read_however_it_is_written(
    tmp_path: Path, delimiter: str, encoding: str, line_end: str
) -> None:
    text = line_end.join(line.replace(",", delimiter) for line in (HEADER, FILL, "", FILL)) + line_end
    found = read(written(tmp_path, text.encode(encoding)))
    assert [told.symbol for told in found.told] == ["BTC/USDT"] * 2
    assert [told.lines for told in found.told] == [(2,), (4,)]
    assert found.raws == [FILL.replace(",", delimiter)] * 2


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_every_format_is_recognised_by_the_columns_it_needs_alone(tmp_path: Path, known: object) -> None:
    form = next(form for form in FORMATS if form is known)
    header = ",".join(need.partition("|")[0].upper() for need in form.needs)
    statement = open_statement(written(tmp_path, header + "\n"), Options(currency="USD", venue="elsewhere"))
    assert (statement.format, statement.venue, statement.line_count) == (form.name, "elsewhere", 1)
    assert list(statement.read()) == []
    assert open_statement(written(tmp_path, header + "\n"), Options()).venue == form.venue


def test_a_quoted_line_end_belongs_to_its_line_and_the_next_is_counted_behind_it(tmp_path: Path) -> None:
    text = f'{HEADER},note\n{FILL},"one\ntwo"\n{FILL},three\n{FILL},{"x" * 2000}\n'
    found = read(written(tmp_path, text))
    assert [(told.lines, told.note) for told in found.told] == [((3 + 1,), "three"), ((5,), "x" * 2000)]
    assert found.sentences == ["line 2, column note: 'one\\ntwo': use printable characters"]


def test_two_exports_in_one_file_have_their_header_twice(tmp_path: Path) -> None:
    found = read(written(tmp_path, f"{HEADER}\n{FILL}\n{HEADER}\n{FILL}\n"))
    assert (len(found.told), found.complaints) == (2, [])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "no names of columns are found; is the file empty?"),
        ("\n\n  \n", "no names of columns are found"),
        ("when,what\n1,2\n", "nobody knows these columns; write them as time, symbol, quantity, side"),
        ("time,symbol,side\n", "the nearest is plain, for which the column 'quantity' is missing"),
        ("txid,refid,type,amount\n", "the nearest is kraken-ledgers, for which the column 'time', 'asset', 'fee'"),
        ("time,symbol,quantity,price,Price\n", "the header has the column 'price' twice; keep one of them"),
        ("timestamp,open,high,low,close,volume\n1,1,1,1,1,1\n", r"these are prices \(column 'open'\), not trades"),
        ("<html><table>", "this is no CSV"),
        (b"\xff\xfe\x00", "this is no text; save the file as CSV in UTF-8"),
        (b"Zeit,Gr\xf6\xdfe\n", "this is no text; save the file as CSV in UTF-8"),
        (b"SQLite format 3\x00", "this is a database; say whose it is"),
        (gzip.compress(FILL.encode(), mtime=0), "this is packed; unpack it first"),
        (b"%PDF-1.7", "this is a PDF"),
        (b"PAR1", "this is Parquet"),
        (b"\xd0\xcf\x11\xe0", "this is a spreadsheet"),
        (b"PK\x03\x04 and no more", "this is a packed file that cannot be opened"),
        ("x" * 300_000, "no names of columns are found"),
        (f'"{"x" * 200_000}', "no names of columns are found"),
    ],
)
def test_what_is_no_statement_is_refused_by_a_sentence(tmp_path: Path, content: str | bytes, sentence: str) -> None:
    with pytest.raises(NotReadable, match=sentence):
        open_statement(written(tmp_path, content), Options())


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ({"XBT_1.csv": "1490807100,1,1,1,1,1,1\n"}, "these are prices, not trades"),
        ({"XBT_1.csv": "time,open,high,low,close\n"}, "these are prices, not trades"),
        ({"trades.csv": HEADER}, r"this is packed; unpack it and import the statement in it \(trades.csv\)"),
        ({"empty.csv": ""}, r"this is packed; .* \(empty.csv\)"),
        ({"readme.txt": "1"}, r"this is packed; .* \(no CSV is there\)"),
        ({"content.xml": "1"}, "this is a spreadsheet"),
        ({"[Content_Types].xml": "1"}, "this is a spreadsheet"),
    ],
)
def test_a_packed_file_is_refused_by_what_is_in_it(tmp_path: Path, names: dict[str, str], sentence: str) -> None:
    path = tmp_path / "packed.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in names.items():
            packed.writestr(name, content)
    with pytest.raises(NotReadable, match=sentence):
        open_statement(path, Options())


def test_a_file_that_is_not_there_or_a_folder_is_refused_by_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(NotReadable, match="the file cannot be read: No such file"):
        open_statement(tmp_path / "none.csv", Options())
    with pytest.raises(NotReadable, match="this is no file"):
        open_statement(tmp_path, Options())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"dates": "ymd"}, "dates = 'ymd': write mdy"),
        ({"zone": "Europe"}, "zone = 'Europe': "),
        ({"zone": "Mars/Olympus"}, "zone = 'Mars/Olympus': this machine knows no such zone"),
        ({"zone": "/etc/passwd"}, "zone = '/etc/passwd': name a zone"),
    ],
)
def test_what_somebody_adds_is_checked_before_the_file(options: dict[str, str], sentence: str) -> None:
    with pytest.raises(Illegal, match=sentence):
        Options(**options)


@pytest.mark.parametrize(
    ("tail", "line", "remedy"),
    [
        (f'{FILL}\n{FILL[:-1]}"38000\n{FILL}\n', 3, "cells where the header has 5"),
        (f'{FILL}\n"2022-01-21,BTC\n{FILL}\n', 3, "unexpected end of data: a quote that begins here does not end"),
        (f'{FILL}\n"2022-01-21"x,BTC\n', 3, "a quote that begins here does not end as it should"),
        (f"{FILL}\n{'x' * 140_000}\n", 3, "the line is longer than 131071 characters"),
        (f"{FILL}\n2022-01-21,A/B,b\0uy,1,1\n", 3, "this is no text"),
    ],
)
def test_a_line_that_is_broken_is_named_and_the_lines_before_it_are_told(
    tmp_path: Path, tail: str, line: int, remedy: str
) -> None:
    if remedy.startswith("cells"):
        tail = f"{FILL}\n{FILL},,\n"
    found = read(written(tmp_path, f"{HEADER}\n{tail}"))
    assert len(found.told) == 1
    assert found.complaints[-1].line == line
    assert remedy in found.complaints[-1].remedy


def test_a_file_that_stops_being_text_is_refused_where_it_does(tmp_path: Path) -> None:
    lines = "\n".join([HEADER, *[FILL] * 300])
    found = read(written(tmp_path, lines.encode() + b"\n\xff\xff\xff\n"))
    assert found.complaints[-1].remedy.startswith("this is no text in UTF-8")


# --- whatever a file holds

_HEADERS = [",".join(need.partition("|")[0] for need in (*form.needs, *form.takes)) for form in FORMATS]
_CELLS = st.sampled_from(
    [
        *(
            "",
            "1",
            "-1",
            "0.5",
            "1e-9",
            "NaN",
            "inf",
            "1e999",
            "9" * 40,
            "1,5",
            '"',
            '""',
            "'",
            "\0",
            "\x1b[2J",
            "é" * 9,
        ),
        *(
            "2022-01-21T10:05:00Z",
            "5/1/2022 14:00",
            "20220121;100500",
            "9999-12-31T23:59:59-12:00",
            "0001-01-01",
            "1" * 13,
        ),
        *(
            "2022-01-21T10:05:00+99:99",
            "2022-13-45",
            "1642759500",
            "BTC/USDT",
            "BTC-USD",
            "BTCUSDT",
            "/",
            ":",
            "A/B:C",
            "XXBTZUSD",
        ),
        *(
            "buy",
            "SELL",
            "deposit",
            "match",
            "fee",
            "split",
            "trade",
            "balance",
            "Transaction Buy",
            "Success",
            "USD",
            "BTC",
        ),
        *(
            "0.5BTC",
            "$1,000.00",
            "Header",
            "Data",
            "Trades",
            "Out-Flow Detail",
            "Intra-Flow Detail",
            "interest",
            "gift",
        ),
    ]
)
_OPTIONS = st.sampled_from([Options(), Options(currency="USD", zone="Asia/Tokyo", dates="dmy"), Options(currency="/")])


def outcome(folder: Path, content: bytes, options: Options) -> list[ToldLine | Complaint] | str:
    path = folder / "any.csv"
    path.write_bytes(content)
    try:
        found = list(open_statement(path, options).read())
    except (NotReadable, Illegal) as refused:
        return str(refused)
    for one in found:
        if isinstance(one, Complaint):
            assert str(one).isprintable()
            assert one.remedy
        else:
            assert one.told.lines
            assert "\0" not in one.raw
    return found


@given(content=st.binary(max_size=400), options=_OPTIONS)
@example(content=b"\xef\xbb\xbf", options=Options())
@example(content=b"\xff\xfe", options=Options())
def test_bytes_of_any_kind_are_answered(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, options: Options
) -> None:
    outcome(tmp_path_factory.getbasetemp(), content, options)


@given(
    header=st.sampled_from(_HEADERS),
    rows=st.lists(st.lists(_CELLS, min_size=1, max_size=16), max_size=6),
    quoted=st.booleans(),
    cut=st.integers(0, 5),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    options=_OPTIONS,
)
def test_rows_of_any_kind_below_a_header_that_is_known_are_answered(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    header: str,
    rows: list[list[str]],
    quoted: bool,
    cut: int,
    encoding: str,
    options: Options,
) -> None:
    path = tmp_path_factory.getbasetemp() / "rows.csv"
    with path.open("w", newline="", encoding=encoding) as file:
        file.write(header + "\n")
        width = header.count(",") + 1
        whole = [[*row, *[""] * width][:width] for row in rows]
        if quoted:
            csv.writer(file).writerows(whole)
        else:
            file.writelines(",".join(row) + "\r\n" for row in rows)
    content = path.read_bytes()
    outcome(tmp_path_factory.getbasetemp(), content[: len(content) - cut], options)


def test_a_real_statement_with_any_byte_changed_is_answered(test_data: Path, tmp_path: Path) -> None:
    chance = random.Random(11)
    paths = sorted((test_data / "broker_statements").glob("*/*.csv"))
    for path in [*paths, test_data / "cost_basis_rp2/crypto_example_fifo__BTC_In-Out.csv"]:
        for _ in range(60):
            content = bytearray(path.read_bytes())
            for _ in range(chance.randint(1, 3)):
                content[chance.randrange(len(content))] = chance.choice(b'\x00\xff",;\n\r/-.0e9AZ:')
            found = outcome(tmp_path, bytes(content), Options(currency="USD", dates="mdy"))
            assert len(found) <= COMPLAINT_LIMIT
