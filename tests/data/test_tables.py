"""Tables from files: what is read, what is refused and in which words, and how fast."""

import gzip
import os
import time

import numpy as np
import pandas as pd
import pytest

from jaxnn import data


@pytest.fixture
def write(tmp_path):
    def write(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_reads_what_pandas_reads(delimiter, end, mark, encoding, write):
    frame = pd.DataFrame({"größe": [1.5, -2.0, 1e-3], "n": [1, 2, 3], "farbe": ["rot", "grün, hell", 'ein "blau"']})
    frame["wahr"] = [True, False, True]
    text = frame.to_csv(sep=delimiter, index=False, lineterminator=end)
    table = data.read_table(write((mark * (encoding == "utf-8") + text).encode(encoding)))
    assert table.names == tuple(frame.columns)
    assert len(table) == table.n_rows == 3
    for name in ("größe", "n", "wahr"):
        np.testing.assert_array_equal(table[name], frame[name].to_numpy())
    assert table["n"].dtype == np.float64
    assert table["wahr"].dtype == bool
    assert table["farbe"].tolist() == frame["farbe"].tolist()


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "−5", "+3", " 4 "], [1, -5, 3, 4]),
        (["1e3", "-1E-3", ".5", "7."], [1000, -0.001, 0.5, 7]),
        (["1", "", "NA", "?", "nan"], [1, np.nan, np.nan, np.nan, np.nan]),
        (["1e400", "-inf"], [np.inf, -np.inf]),  # read as written; refused where it would be used
        (["9007199254740993"], [9007199254740992]),
        (["1", "1_0"], ["1", "1_0"]),
        (["1", "2 # x"], ["1", "2 # x"]),
        (["1", "0x10"], ["1", "0x10"]),
        (["a", "", " b ", "None"], ["a", None, "b", "None"]),
        (["true", "FALSE", "True"], [True, False, True]),
        (["true", "", "false"], [True, None, False]),
        (["true", "yes"], ["true", "yes"]),
        (["true", "1"], ["true", "1"]),
        (["2020-01-01", ""], ["2020-01-01", None]),
        (["1\n2", "3"], ["1\n2", "3"]),
    ],
)
def test_cells(cells, expected, write):
    lines = "\n".join(f'"{cell}",0' for cell in cells)
    column = data.read_table(write(f"x,y\n{lines}\n"))["x"]
    if isinstance(expected[0], str | bool):
        assert column.tolist() == expected
    else:
        assert column.dtype == np.float64
        np.testing.assert_array_equal(column, expected)


def test_decimal_commas_need_another_delimiter(write):
    table = data.read_table(write("a;b;c\n1,5;1,5;1,234\n−2,25;3;1.5\n"))
    np.testing.assert_array_equal(table["a"], [1.5, -2.25])
    np.testing.assert_array_equal(table["b"], [1.5, 3.0])
    assert table["c"].tolist() == ["1,234", "1.5"]  # one and a quarter, or a thousand? Left as text
    assert data.read_table(write('a,b\n"1,5",2\n'))["a"].tolist() == ["1,5"]


@pytest.mark.parametrize(("first", "later"), [("1,5", "1.5"), ("1.5", "1,5")])
def test_points_and_commas_do_not_mix_however_far_apart(first, later, write, monkeypatch):
    monkeypatch.setattr("jaxnn.data.delimited.LINES_AT_ONCE", 2)
    table = data.read_table(write(f"a;b\n{first};1,5\n2;2\n{later};3\n"))
    assert table["a"].tolist() == [first, "2", later]
    assert table["b"].tolist() == [1.5, 2.0, 3.0]


def test_delimiters_inside_names_do_not_mislead(write):
    table = data.read_table(write("width, mm;height, mm;depth, mm\n1,5;2,5;3,5\n"))
    assert table.names == ("width, mm", "height, mm", "depth, mm")
    assert data.read_table(write("a;b\n1;2\n"), delimiter=",").names == ("a;b",)


def test_one_column_and_one_row(write):
    table = data.read_table(write("x\n3\n"))
    assert table.names == ("x",)
    assert table["x"].tolist() == [3.0]


def test_what_is_missing_can_be_told(write):
    column = data.read_table(write("x,y\n-999,1\n?,1\n"), missing=["-999"])["x"]
    assert column.tolist() == [None, "?"]


def test_a_column_that_turns_to_text_late_keeps_its_first_cells(write, monkeypatch):
    monkeypatch.setattr("jaxnn.data.delimited.LINES_AT_ONCE", 2)
    text = "a,b,c,d\n01,,1,true\n02,,2,true\n03,true,3,\n04,false,4,x\nx,,5,false\n"
    table = data.read_table(write(text))
    assert table["a"].tolist() == ["01", "02", "03", "04", "x"]
    assert table["b"].tolist() == [None, None, True, False, None]
    assert table["c"].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert table["d"].tolist() == ["true", "true", None, "x", "false"]


REFUSED = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\n", "is empty"),
    "header only": (b"a,b\n", "no rows"),
    "too few": (b"a,b\n1,2\n3\n", "line 3: 1 field, but the first line names 2"),
    "too many": (b"a,b\n1,2\n\n3,4,5\n", "line 4: 3 fields"),
    "too many after a quoted break": (b'a,b\n"1\n2",3\n1,2,3\n', "line 4: 3 fields"),
    "no names": (b",,\n0,1,2\n", "line 1: no column has a name"),
    "a title": (b"Sales,,\nx,y,z\n0,1,2\n", "2 columns that hold values have no name in the first line"),
    "a name less in one row": (b"a,b\n1,2,3\n4,5\n", "line 2: 3 fields, but the first line names 2"),
    "a name less, labels twice": (b"a,b\nr,2,3\nr,5,6\n", "line 2: 3 fields, but the first line names 2"),
    "no header, whole numbers": (b"0,7,0\n1,8,0\n", "add a line of names"),
    "no header": (b"5.1,3.5\n4.9,3.0\n", "add a line of names"),
    "quotes": (b'a,b\n"1,2\n', "line 2: unclosed quote"),
    "quotes far below": (b"a,b,c\n" + b"1,2,3\n" * 40 + b'1,"2,3\n' + b"1,2,3\n" * 9, "line 42: unclosed quote"),
    "quotes that others follow": (b'a,b,c\n1,"2,3\n1,2,3\n1,"2",3\n', "line 2: unclosed quote"),
    "a field beyond csv's limit": (b'a,b,c\n1,"2,3\n' + b"1,2,3\n" * 40_000, "line 2: unclosed quote"),
    "Cyrillic": ("a,b\nмужчина,1\n".encode("cp1251"), "save it as CSV UTF-8"),
    "Japanese": ("a,b\n東京都,1\n".encode("shift-jis"), "save it as CSV UTF-8"),
    "Chinese": ("a,b\n中国上海,1\n".encode("gbk"), "save it as CSV UTF-8"),
    "damaged UTF-8": ("a,b\nü,1\n".encode() + b"\xe4,1\n", "save it as CSV UTF-8"),
    "damaged UTF-16": ("a,b\nü,1\n".encode("utf-16")[:-1], "is not UTF-16 text"),
    "a line without end": (b"a,b\n" + b"x" * 2**13, "line 2: more than 8,192 characters"),
    "binary": (bytes(range(256)), "is binary"),
    "compressed twice": (gzip.compress(gzip.compress(b"a,b\n1,2\n")), "compressed twice"),
    "compressed Parquet": (gzip.compress(b"PAR1 and more"), "compressed parquet file: unpack it first"),
    "compressed and cut off": (gzip.compress(b"a,b\n1,2\n" * 9)[:-4], "damaged gzip file"),
    "compressed and damaged": (gzip.compress(b"a,b\n1,2\n")[:12] + b"\xff" * 20, "damaged gzip file"),
    "compressed nothing": (gzip.compress(b""), "is empty"),
    "compressed beyond measure": (gzip.compress(b"a,b\n" + b"1,2\n" * 5_000), "unpacks to more than 16,384 bytes"),
    "archive": (b"table.csv".ljust(257, b"\0") + b"ustar" + b"\0" * 250, "is an archive"),
    "damaged spreadsheet": (b"PK\x03\x04rubbish", "damaged spreadsheet or zip archive"),
    "old spreadsheet": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "save it as .xlsx or CSV"),
    "parquet": (b"PAR1 and no more", "cannot be read as Parquet|damaged Parquet"),
    "endless cell": (b"a,b\n" + b"x" * 200_000 + b",1\n", "line 2: field larger"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses(case, write, monkeypatch):
    content, told = REFUSED[case]
    if case == "a line without end":
        monkeypatch.setattr("jaxnn.data.opening.LONGEST_LINE", 2**13)
    if case == "compressed beyond measure":
        monkeypatch.setattr("jaxnn.data.opening.MOST_UNPACKED", 2**14)
    with pytest.raises(ValueError, match=told) as caught:
        data.read_table(write(content))
    assert type(caught.value) is ValueError
    assert "\n" not in str(caught.value)


def test_the_system_refuses(tmp_path):
    with pytest.raises(FileNotFoundError):
        data.read_table(tmp_path / "absent.csv")
    with pytest.raises(OSError, match="directory"):
        data.read_table(tmp_path)


def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="regular file"):
        data.read_table(tmp_path / "pipe")


def test_unknown_column_and_delimiter(write):
    path = write("age,sex\n1,2\n")
    with pytest.raises(ValueError, match="Did you mean 'age'"):
        data.read_table(path)["aeg"]
    with pytest.raises(ValueError, match="delimiter"):
        data.read_table(path, delimiter=":")


@pytest.mark.parametrize("seed", range(20))
def test_random_bytes_raise_nothing_else(seed, write):
    rng = np.random.default_rng(seed)
    alphabet = np.frombuffer(b'a1,;\t|" #\n\r.\xc3\xa9-\x00?' if seed % 2 else bytes(range(256)), np.uint8)
    raised = set()
    for _ in range(50):
        content = rng.choice(alphabet, rng.integers(1, 60)).tobytes()
        path = write(gzip.compress(content) if seed % 4 == 3 else content)
        try:
            table = data.read_table(path)
        except Exception as error:
            raised.add(type(error))
        else:
            assert all(len(table[name]) == len(table) for name in table.names)
    assert raised <= {ValueError}


def test_parquet(tmp_path):
    frame = pd.DataFrame(
        {
            "x": [1.5, None, 3.0],
            "n": pd.array([1, None, 3], "Int64"),
            "text": ["a", None, "b"],
            "category": pd.Categorical(["u", "v", "u"]),
            "truth": [True, False, True],
            "perhaps": pd.array([True, None, False], "boolean"),
            "day": pd.to_datetime(["2020-01-01", "2020-01-02", None]),
        }
    )
    path = tmp_path / "table.parquet"
    frame.to_parquet(path)
    table = data.read_table(path)
    assert table.names == tuple(frame.columns)
    np.testing.assert_array_equal(table["x"], [1.5, np.nan, 3.0])
    np.testing.assert_array_equal(table["n"], [1, np.nan, 3])
    assert table["text"].tolist() == ["a", None, "b"]
    assert table["category"].tolist() == ["u", "v", "u"]
    assert table["truth"].dtype == bool
    assert table["perhaps"].tolist() == [True, None, False]
    assert table["day"][0].year == 2020


def test_damaged_parquet_raises_nothing_else(tmp_path):
    path = tmp_path / "table.parquet"
    pd.DataFrame({"x": np.arange(50.0), "t": ["ab"] * 50}).to_parquet(path)
    whole = path.read_bytes()
    for cut in range(4, len(whole), 37):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match="Parquet"):
            data.read_table(path)


def test_a_hundred_thousand_rows_take_a_moment(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 10))
    body = "\n".join(",".join(f"{value:.6g}" for value in row) + ",word" for row in x) + "\n"
    path = tmp_path / "large.csv"
    path.write_text(",".join(f"c{j}" for j in range(10)) + ",t\n" + body * 100)
    start = time.perf_counter()
    table = data.read_table(path)
    assert time.perf_counter() - start < 10  # about 0.6 s on an idle core: a million rows take seconds
    assert len(table) == 100_000
    np.testing.assert_allclose(table["c3"][:1000], x[:, 3], rtol=1e-5)


@pytest.mark.parametrize(
    ("cells", "words", "expected"),
    [
        (["00501", "10001"], {}, ["00501", "10001"]),
        (["00501", "10001"], {"number": ["x"]}, [501, 10001]),
        (["0", "0.5", "-0.25"], {}, [0, 0.5, -0.25]),
        (["1", "20"], {"text": ["x"]}, ["1", "20"]),
        (["true", "false"], {"text": ["x"]}, ["true", "false"]),
        (["NA", "EU"], {"missing": [""]}, ["NA", "EU"]),
        (["-999", "5", ""], {"missing": ["", "-999"]}, [np.nan, 5, np.nan]),
        (["5", "nan"], {"missing": [""]}, ["5", "nan"]),
        (["1.045", "950"], {"decimal": ","}, ["1.045", "950"]),
        (["1045", "950"], {"decimal": ","}, [1045, 950]),
        (["1.045", "950"], {"decimal": "."}, [1.045, 950]),
    ],
)
def test_what_is_said_of_a_column(cells, words, expected, write):
    column = data.read_table(write("x,y\n" + "".join(f"{cell},0\n" for cell in cells)), **words)["x"]
    if isinstance(expected[0], str):
        assert column.tolist() == expected
    else:
        np.testing.assert_array_equal(column, expected)


def test_a_decimal_mark_is_a_point_or_a_comma(write):
    with pytest.raises(ValueError, match="decimal must be"):
        data.read_table(write("x\n1\n"), decimal="point")


def test_commas_that_may_stand_between_thousands_are_no_decimal_commas(write):
    table = data.read_table(write("a;b;c\n1,045;1,5;1\n2,310;1,045;2\n"))
    assert table["a"].tolist() == ["1,045", "2,310"]
    assert table["b"].tolist() == [1.5, 1.045]
    assert table.decimal_commas == ("b",)


def test_codes_are_seen_however_late(write, monkeypatch):
    monkeypatch.setattr("jaxnn.data.delimited.LINES_AT_ONCE", 2)
    assert data.read_table(write("zip\n10001\n94105\n00501\n"))["zip"].tolist() == ["10001", "94105", "00501"]
