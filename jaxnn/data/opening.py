"""Opening a file that may hold a table: what it is, by its first bytes, and its text, line by line.

    PAR1 …                          Parquet
    PK … with a workbook inside     a spreadsheet (.xlsx)
    1f 8b …                         text, compressed by gzip
    anything else                   text: UTF-16 with its mark, else UTF-8, else Windows-1252 where that makes sense

A file is never trusted with memory: a line may have at most `LONGEST_LINE` characters, and what a compressed file
unpacks to is counted, in a stream, before anything is read of it.
"""

import codecs
import gzip
import io
import itertools
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

Format: TypeAlias = Literal["text", "parquet", "spreadsheet"]

MOST_UNPACKED = 2**30  # bytes that a compressed file may unpack to
LONGEST_LINE = 2**26  # characters
AT_ONCE = 2**20  # bytes
GZIP, PARQUET, ZIP, OLD_SPREADSHEET = b"\x1f\x8b", b"PAR1", b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
WESTERN = "cp1252"
LETTER = "A-Za-zÀ-ÖØ-öø-ÿŠšŒœŽžŸ"
SENSIBLE = re.compile(f"[\\t\\r\\n -~{LETTER}\xa0€£¥§°±²³µ·¹º¼½¾¿¡ª«»“”‘’‚„–—…•™®©×÷]*")
FOREIGN = re.compile(r"[^\W\d_a-zA-Z]{3}")  # no Western language has three accented letters in a row


class Opened(NamedTuple):
    """A file that was recognised, to be read as often as necessary.

    Attributes:
        name: its path.
        format: what it is.
        encoding: of the text.
        compressed: whether it is compressed by gzip.
        skipped: how many lines to leave out at its beginning.
        names_in_comment: whether the line of names starts with `#`.
    """

    name: str
    format: Format
    encoding: str = "utf-8-sig"
    compressed: bool = False
    skipped: int = 0
    names_in_comment: bool = False

    def content(self) -> io.BufferedReader | gzip.GzipFile:
        """The bytes, unpacked."""
        return gzip.open(self.name, "rb") if self.compressed else open(self.name, "rb")

    def lines(self) -> Iterator[str]:
        """The lines of the text, with their ends.

        Raises:
            ValueError: a line is too long, or the text is in another encoding (`UnicodeDecodeError`).
        """
        with self.content() as file, io.TextIOWrapper(file, self.encoding, newline="") as text:
            for number in itertools.count(1):
                line = text.readline(LONGEST_LINE)
                if not line:
                    return
                if len(line) == LONGEST_LINE:
                    raise ValueError(
                        f"{self.name!r}, line {number}: more than {LONGEST_LINE:,} characters: is this a table as text?"
                    )
                if number > self.skipped:
                    yield line


def recognise(path: str | os.PathLike[str]) -> Opened:
    """What the file is.

    Raises:
        ValueError: it is not a regular file, is empty, damaged, or of a format that is not read; the message has the
            remedy.
        OSError: the system refuses to open it.
    """
    name = os.fspath(path)
    with open(path, "rb", opener=_open_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError(f"{name!r} is not a regular file.")
        start = file.read(65_536)
    compressed = start.startswith(GZIP)
    if compressed:
        start = _unpacked_start(name)
    if not start.strip():
        raise ValueError(f"{name!r} is empty.")
    found = Opened(name, _format(name, start), _encoding(start), compressed)
    if compressed and found.format != "text":
        raise ValueError(f"{name!r} is a compressed {found.format} file: unpack it first (gunzip).")
    if found.format == "text" and b"\0" in start and found.encoding != "utf-16":
        if start[257:262] == b"ustar":
            raise ValueError(f"{name!r} is an archive (tar): unpack it, and give one of its files.")
        raise ValueError(f"{name!r} is binary, not a table as text.")
    return found


def as_western(file: Opened) -> Opened:
    """The file as Windows-1252 text (which includes Latin-1), if it makes sense so.

    It does if all characters are such as Western languages use, no three accented letters stand in a row, as Cyrillic
    or Chinese would look, and nothing in it is UTF-8, which a damaged file in UTF-8 would still have elsewhere.

    Raises:
        ValueError: it does not.
    """
    remedy = f"{file.name!r} is neither UTF-8 text nor Windows-1252: save it as CSV UTF-8."
    utf_8 = codecs.getincrementaldecoder("utf-8")("replace")
    tail = ""
    with file.content() as content:
        while part := content.read(AT_ONCE):
            if any(letter not in "\ufffd" and not letter.isascii() for letter in utf_8.decode(part)):
                raise ValueError(remedy)
            try:
                text = tail + part.decode(WESTERN)
            except UnicodeDecodeError:
                raise ValueError(remedy) from None
            if not SENSIBLE.fullmatch(text) or FOREIGN.search(text):
                raise ValueError(remedy)
            tail = text[-2:]
    return file._replace(encoding=WESTERN)


def _open_without_waiting(path: str, flags: int) -> int:
    """Opens for reading without blocking: a pipe that nobody writes to would block forever."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _unpacked_start(name: str) -> bytes:
    """The first bytes of a compressed file, after all of it has been unpacked once, and thrown away.

    Raises:
        ValueError: it is damaged, or larger than is accepted.
    """
    try:
        with gzip.open(name, "rb") as file:
            part = start = file.read(65_536)
            size = 0
            while part:
                size += len(part)
                if size > MOST_UNPACKED:
                    raise ValueError(
                        f"{name!r} unpacks to more than {MOST_UNPACKED:,} bytes: unpack it first (gunzip), if you"
                        " expect that."
                    )
                part = file.read(AT_ONCE)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{name!r} is a damaged gzip file ({str(error).rstrip('.')}): get it again.") from None
    return start


def _format(name: str, start: bytes) -> Format:
    """What the first bytes say."""
    if start.startswith(PARQUET):
        return "parquet"
    if start.startswith(OLD_SPREADSHEET):
        raise ValueError(f"{name!r} is an old (.xls) or protected spreadsheet: save it as .xlsx or CSV, unprotected.")
    if start.startswith(GZIP):
        raise ValueError(f"{name!r} is compressed twice: unpack it first (gunzip).")
    if not start.startswith(ZIP):
        return "text"
    try:
        with zipfile.ZipFile(name) as archive:
            parts = archive.namelist()
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        raise ValueError(
            f"{name!r} is a damaged spreadsheet or zip archive ({str(error).rstrip('.')}): save it again."
        ) from None
    if "xl/workbook.xml" in parts:
        return "spreadsheet"
    if any(part.startswith("xl/") for part in parts) or "content.xml" in parts:
        raise ValueError(f"{name!r} is a spreadsheet of another kind than .xlsx: save it as .xlsx or CSV.")
    raise ValueError(f"{name!r} is a zip archive: unpack it, and give one of its files.")


def _encoding(start: bytes) -> str:
    """UTF-16 where its mark is there."""
    return "utf-16" if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
