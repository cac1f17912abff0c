"""Spreadsheets: what is read is what openpyxl wrote, what is damaged is refused in one line."""

import datetime
import io
import zipfile

import numpy as np
import openpyxl
import pytest

from jaxnn import data

SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


@pytest.fixture
def book(tmp_path):
    """Writes rows as a sheet, after other sheets, and gives the path."""

    def book(rows, *, sheets=(), title="Sheet"):
        workbook = openpyxl.Workbook()
        workbook.active.title = title
        for row in rows:
            workbook.active.append(row)
        for each in sheets:
            workbook.create_sheet(each).append(["other"])
        workbook.save(tmp_path / "table.xlsx")
        return tmp_path / "table.xlsx"

    return book


def test_types_are_kept_and_text_is_read_as_in_a_delimited_file(book):
    day = datetime.datetime(2023, 1, 31)
    table = data.read_table(
        book(
            [
                ["n", "x", "yes", "day", "text", "stored", "code", "mixed", "gaps"],
                [1, 1.5, True, day, "a", "12", "007", 3, None],
                [2, -2, False, day, " b ", "NA", "010", "x", 4],
                [3, 1e300, True, None, None, "−3.5", "011", 2.0, 5.5],
            ]
        )
    )
    np.testing.assert_array_equal(table["n"], [1.0, 2, 3])
    np.testing.assert_array_equal(table["x"], [1.5, -2, 1e300])
    assert table["yes"].dtype == bool
    assert table["day"].tolist() == [day, day, None]
    assert table["text"].tolist() == ["a", "b", None]
    np.testing.assert_array_equal(table["stored"], [12, np.nan, -3.5])
    assert table["code"].tolist() == ["007", "010", "011"]
    assert table["mixed"].tolist() == ["3", "x", "2"]
    np.testing.assert_array_equal(table["gaps"], [np.nan, 4, 5.5])
    assert table.remarks == ()


def test_what_is_said_of_columns_holds_here_too(book):
    path = book([["x", "y"], [1, -999], [20, 5]])
    assert data.read_table(path, text=["x"])["x"].tolist() == ["1", "20"]
    np.testing.assert_array_equal(data.read_table(path, missing=["-999"])["y"], [np.nan, 5])


def test_rows_and_columns_that_are_blank_are_no_data(book):
    table = data.read_table(book([[], ["", "a", "b", ""], [0, 1, "x"], [], [1, 2, " "], [2, 3, "y"], [" "]]))
    assert table.names == ("a", "b")
    assert table["b"].tolist() == ["x", None, "y"]
    assert table.remarks == ("The first column has no name and numbers the rows: left out.",)


def test_the_sheet_that_is_read_is_told(book):
    table = data.read_table(book([["a"], [1]], sheets=["Notes", "More"], title="Cases"))
    assert table.remarks == ("Read from the sheet 'Cases'; the file has 2 other sheets: Notes, More.",)
    path = book([], sheets=["Notes"], title="Cover")
    with pytest.raises(ValueError, match="sheet 'Notes' has a line of names but no rows"):
        data.read_table(path)


def test_errors_of_formulae_are_missing_and_told(book):
    table = data.read_table(book([["a", "b"], [1, "#DIV/0!"], [2, 3]]))
    np.testing.assert_array_equal(table["b"], [np.nan, 3])
    assert table.remarks == ("Cells with errors such as #DIV/0! are missing values, in b.",)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], "sheet 'Sheet' has no cells"),
        ([["a", "b"]], "sheet 'Sheet' has a line of names but no rows"),
        ([["Sales of 2020"], ["x", "y", "z"], [1, 2, 3]], "no name in the first line: is it a title"),
        ([[1.5, 2], [3, 4]], "sheet 'Sheet', row 1: numbers where the names"),
    ],
    ids=["nothing", "no rows", "a title", "no names"],
)
def test_sheets_that_are_no_tables(book, rows, told):
    with pytest.raises(ValueError, match=told):
        data.read_table(book(rows))


def test_damage_raises_nothing_else(book, tmp_path):
    whole = book([["a", "b"], *[[i, f"text {i}"] for i in range(50)]]).read_bytes()
    rng = np.random.default_rng(0)
    told = []
    for k in range(40):
        damaged = bytearray(whole)
        if k % 2:
            damaged = damaged[: rng.integers(4, len(whole))]
        else:
            for place in rng.integers(4, len(whole), 20):
                damaged[place] = rng.integers(256)
        path = tmp_path / "damaged.xlsx"
        path.write_bytes(damaged)
        try:
            data.read_table(path)
        except Exception as error:
            told.append((type(error), str(error)))
    assert {kind for kind, _ in told} == {ValueError}
    assert not any("\n" in text for _, text in told)


def replaced(path, part, content):
    """A copy of the file with another content of one of its parts."""
    text = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(text, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, content if name == part else old.read(name))
    path.write_bytes(text.getvalue())
    return path


def test_a_sheet_that_unpacks_to_too_much_is_refused(book, monkeypatch):
    monkeypatch.setattr("jaxnn.data.spreadsheet.MOST_UNPACKED", 2**20)
    path = replaced(book([["a"], [1]]), "xl/worksheets/sheet1.xml", b" " * 2**21)
    with pytest.raises(ValueError, match="more than 1,048,576: save it as CSV"):
        data.read_table(path)


@pytest.mark.parametrize("stated", ["A1", "A1:XFD1048576"])
def test_the_size_that_a_sheet_states_need_not_be_true(book, stated):
    rows = '<row r="1"><c r="A1" t="str"><v>a</v></c><c r="B1" t="str"><v>b</v></c></row>'
    rows += '<row r="2"><c r="A2"><v>1</v></c><c r="B2"><v>2</v></c></row>'
    sheet = f'<worksheet xmlns="{SHEET}"><dimension ref="{stated}"/><sheetData>{rows}</sheetData></worksheet>'
    table = data.read_table(replaced(book([["a"], [1]]), "xl/worksheets/sheet1.xml", sheet.encode()))
    assert {name: table[name].tolist() for name in table.names} == {"a": [1.0], "b": [2.0]}


def test_few_cells_far_out_do_not_fill_the_memory(book, monkeypatch):
    monkeypatch.setattr("jaxnn.data.spreadsheet.MOST_CELLS", 100_000)
    rows = "".join(f'<row r="{i}"><c r="XFD{i}"><v>1</v></c></row>' for i in range(1, 50))
    sheet = f'<worksheet xmlns="{SHEET}"><sheetData>{rows}</sheetData></worksheet>'
    path = replaced(book([["a"], [1]]), "xl/worksheets/sheet1.xml", sheet.encode())
    with pytest.raises(ValueError, match="more than 100,000 cells"):
        data.read_table(path)


def test_entities_that_grow_are_refused(book):
    laughs = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
    sheet = (
        f"<!DOCTYPE worksheet [{laughs}]>"
        f'<worksheet xmlns="{SHEET}"><sheetData><row r="1">'
        '<c r="A1" t="str"><v>&a9;</v></c></row></sheetData></worksheet>'
    )
    path = replaced(book([["a"], [1]]), "xl/worksheets/sheet1.xml", sheet.encode())
    with pytest.raises(ValueError, match="cannot be read as a spreadsheet"):
        data.read_table(path)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"table.csv": b"a,b\n1,2\n"}, "is a zip archive: unpack it"),
        ({"mimetype": b"", "content.xml": b""}, "spreadsheet of another kind than .xlsx"),
        ({"xl/workbook.bin": b""}, "spreadsheet of another kind than .xlsx"),
        ({"xl/workbook.xml": b""}, "cannot be read as a spreadsheet"),
    ],
    ids=["zip", "ods", "xlsb", "hollow"],
)
def test_other_archives(tmp_path, parts, told):
    path = tmp_path / "table.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match=told):
        data.read_table(path)


def test_the_extra_is_named(book, monkeypatch):
    path = book([["a"], [1]])
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(ImportError, match="tables"):
        data.read_table(path)
