"""What people's files have besides rows and names: row numbers, comments, compression, encodings, spaces."""

import gzip

import numpy as np
import pandas as pd
import pytest

from jaxnn import data

FRAME = pd.DataFrame({"x": [1.5, -2.0, 3.25], "colour": ["red", "dark green", "blue"]})


@pytest.fixture
def read(tmp_path):
    """Writes a file and reads it as a table."""

    def read(content, **words):
        path = tmp_path / "table.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return data.read_table(path, **words)

    return read


def same(table, frame=FRAME):
    assert table.names == tuple(frame.columns)
    assert all(table[name].tolist() == frame[name].tolist() for name in frame.columns)
    return True


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (FRAME, "The first column has no name and numbers the rows: left out."),
        (FRAME.set_index(np.array([7, 3, 7])), "The first column has no name and numbers the rows: left out."),
        (FRAME.set_index(np.array(["r", "s", "t"])), "The first column has no name and names the rows: left out."),
    ],
    ids=["numbers", "shuffled numbers", "names"],
)
def test_the_index_that_pandas_writes_is_left_out_and_told(frame, told, read):
    table = read(frame.to_csv())
    assert same(table)
    assert table.remarks == (told,)
    again = read(read_again := frame.reset_index(names="Unnamed: 0").to_csv(index=False))
    assert "Unnamed: 0" in read_again
    assert same(again)


def test_a_first_column_of_values_is_kept(read):
    table = read(FRAME.set_index(np.array(["a", "b", "a"])).to_csv())
    assert table["column 1"].tolist() == ["a", "b", "a"]
    assert table.remarks == ("The column called 'column 1' here has no name in the file.",)
    one = FRAME.set_index(np.array(["a", "b", "a"])).iloc[:1].to_csv()
    assert read(one, text=["column 1"])["column 1"].tolist() == ["a"]  # as a model asks for it that was trained with it


@pytest.mark.parametrize("delimiter", [" ", ",", "\t", ";"])
def test_write_table_of_r_names_one_column_less(delimiter, read):
    rows = [["x", "colour"], ["1", "1.5", "red"], ["2", "-2", "dark green"], ["3", "3.25", "blue"]]
    text = "\n".join(delimiter.join(f'"{cell}"' if not cell[-1].isdigit() else cell for cell in row) for row in rows)
    table = read(text + "\n")
    assert same(table)
    assert table.remarks == ("The first column has no name and numbers the rows: left out.",)


@pytest.mark.parametrize("header", ["a,b", "a,b,"])
def test_a_delimiter_at_the_end_of_each_line_is_no_column(header, read):
    table = read(f"{header}\n1,x,\n2,y,\n")
    assert table.names == ("a", "b")
    assert table["b"].tolist() == ["x", "y"]
    assert table.remarks == ("Without name and values, so left out: column 3.",)


def test_columns_without_a_name_are_called_by_their_place(read):
    table = read("a,,column 2,,b\n1,5,2,,3\n4,6,5,,6\n")
    assert table.names == ("a", "column 2 (unnamed)", "column 2", "b")
    assert table["column 2 (unnamed)"].tolist() == [5, 6]
    assert read("a,,b\n1,,3\n", text=["column 2"])["column 2"].tolist() == [None]  # a model was trained with it


def test_two_columns_of_one_name(read):
    table = read("a,b,a,a (2),a\n1,2,3,4,5\n")
    assert {name: table[name][0] for name in table.names} == {"a": 1, "b": 2, "a (3)": 3, "a (2)": 4, "a (4)": 5}
    assert table.remarks[0] == "Columns of a name that has occurred before are read as 'a (3)', 'a (4)'."


def test_many_columns_of_one_name_are_named_in_time(read):
    assert len(read("a," * 999 + "a\n" + "1," * 999 + "1\n").names) == 1_000


@pytest.mark.parametrize(
    ("above", "told"),
    [
        ("# made by hand\n", "The first line is a comment, starting with '#': skipped."),
        ("# made, by hand\n#\n", "The first 2 lines are comments, starting with '#': skipped."),
        ("# a, b\n", "The first line is a comment, starting with '#': skipped."),
        ("sep=,\n", None),
    ],
)
def test_what_stands_above_the_names_is_skipped(above, told, read):
    table = read(above + FRAME.to_csv(index=False))
    assert same(table)
    assert table.remarks == (() if told is None else (told,))


@pytest.mark.parametrize(
    ("text", "names", "first"),
    [
        ("#x,y\n1,2\n3,4\n", ("x", "y"), [1, 2]),
        ("# x y\n1 2\n3 4\n", ("x", "y"), [1, 2]),
        ("# 2020\n# x,y\n1,a\n3,b\n", ("x", "y"), [1, "a"]),
        ("#x,y\na,b\nc,d\n", ("x", "y"), ["a", "b"]),
    ],
)
def test_a_comment_may_name_the_columns(text, names, first, read):
    table = read(text)
    assert table.names == names
    assert [table[name][0] for name in names] == first
    assert "stand behind the '#'" in table.remarks[-1]


def test_lines_are_counted_from_the_top_of_the_file(read):
    with pytest.raises(ValueError, match="line 5: 1 field"):
        read("# a comment of words\n# more\na,b\n1,2\n3\n")
    with pytest.raises(ValueError, match="line 4: unclosed quote"):
        read('# a comment of words\na,b\n1,2\n"3,4\n')


def test_runs_of_spaces_separate(read):
    table = read("   x    name  y\n 1.5   Ann   2 \n10    'Bo'  3\n  2,5 \tC  4\n")
    assert table.names == ("x", "name", "y")
    assert table["name"].tolist() == ["Ann", "'Bo'", "C"]
    assert table["x"].tolist() == ["1.5", "10", "2,5"]  # points and commas
    assert table["y"].tolist() == [2, 3, 4]
    assert read('a b\n"x y" 1\n"z" 2\n')["a"].tolist() == ["x y", "z"]
    assert read("a b\nx 1\n", delimiter=" ").names == ("a", "b")


def test_a_quote_may_stand_behind_a_space(read):
    assert read('name,  x\n"Ann", "a, b"\n"Bo",   "c"\n')["x"].tolist() == ["a, b", "c"]


def test_words_with_spaces_are_one_column(read):
    table = read("full name\nAnn Lee\nBo Derek\n")
    assert table.names == ("full name",)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_compressed_text(encoding, read):
    frame = FRAME.assign(größe=["Ü", "é – à", "€ 5"])
    table = read(gzip.compress(frame.to_csv(index=False).encode(encoding)))
    assert same(table, frame)
    assert [("Windows-1252" in told) for told in table.remarks] == [True] * (encoding == "cp1252")


def test_several_gzip_files_in_one(read):
    assert read(gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n"))["b"].tolist() == [2, 4]


def test_a_bomb_is_refused_before_it_is_read(read, monkeypatch):
    monkeypatch.setattr("jaxnn.data.opening.MOST_UNPACKED", 2**24)
    monkeypatch.setattr("jaxnn.data.tables.read_delimited", None)  # to be called is to fail otherwise
    with pytest.raises(ValueError, match="unpacks to more than 16,777,216 bytes"):
        read(gzip.compress(b"0" * 2**25))


WESTERN = ["Müller", "Françoise", "Ångström 3 µm²", "niño £5", "søster", "château à Évry"]


@pytest.mark.parametrize(
    ("words", "encoding"),
    [*((words, "latin-1") for words in WESTERN), *((words, "cp1252") for words in (*WESTERN, "“quoted” – 5 €"))],
)
def test_western_text_is_read_and_told(words, encoding, read):
    table = read(f"name,n\n{words},1\n".encode(encoding))
    assert table["name"].tolist() == [words]
    assert table.remarks == (
        "The file is not UTF-8, so it is read as Windows-1252: if names look wrong, save it as CSV UTF-8.",
    )


def test_booleans_keep_their_words(read):
    table = read("a,b,c,d\nTRUE,true,NA,T\nFALSE,False,True,F\nTRUE,TRUE,False,T\n")
    assert table.words == {"a": ("FALSE", "TRUE"), "c": ("False", "True")}
    assert table["a"].dtype == bool


def test_the_index_that_pandas_writes_to_parquet_is_left_out(tmp_path):
    FRAME.set_index(np.array([4, 2, 9])).to_parquet(tmp_path / "t.parquet")
    table = data.read_table(tmp_path / "t.parquet")
    assert same(table)
    assert table.remarks == ("The index of a DataFrame, which had no name (__index_level_0__): left out.",)
