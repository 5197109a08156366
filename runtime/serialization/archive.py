"""The zip archives that `save` writes and `load` reads: records that are stored, not compressed, and begin at aligned offsets.

`ArchiveWriter` writes them byte for byte as PyTorch's writer does, since readers compute offsets from that layout. `ArchiveReader` trusts
nothing: every offset and size is checked against the file before a byte is read, records may not overlap, and what a record claims to
hold is never allocated before it is known to be there.
"""

import struct
import zlib

__all__ = ["ArchiveReader", "ArchiveWriter", "Source"]

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR64 = struct.Struct("<4sIQI")
_UINT32_MAX = 0xFFFFFFFF
_UINT16_MAX = 0xFFFF
_UTF8 = 0x0800
_DESCRIPTOR = 0x0008


class Source:
    """A file object from its present position on, read at offsets.

    Parameters
    ----------
    file : file object
        Seekable, for bytes.
    name : str
        What error messages call it.
    """

    def __init__(self, file, name):
        self.file = file
        self.name = name
        self.start = file.tell()
        self.size = file.seek(0, 2) - self.start
        file.seek(self.start)

    def read(self, offset, count):
        """Exactly `count` bytes from an offset."""
        self.file.seek(self.start + offset)
        data = self.file.read(count)
        while 0 < len(data) < count:  # a file without a buffer may give less than it has
            more = self.file.read(count - len(data))
            if not more:
                break
            data += more
        if len(data) != count:
            raise RuntimeError(f"{self.name}: the file ends at byte {offset + len(data)}, where {count} bytes from {offset} on were expected")
        return data

    def read_into(self, offset, view):
        """Fill a writable view of bytes from an offset."""
        self.file.seek(self.start + offset)
        done = 0
        if hasattr(self.file, "readinto"):
            while done < len(view):
                count = self.file.readinto(view[done:])
                if not count:
                    break
                done += count
        else:
            data = self.file.read(len(view))
            done = len(data)
            view[:done] = data
        if done != len(view):
            raise RuntimeError(f"{self.name}: the file ends at byte {offset + done}, where {len(view)} bytes from {offset} on were expected")


class _Record:
    """Where a record lies: its header, its size, its checksum, and the offset that its contents may not pass."""

    __slots__ = ("crc", "header", "limit", "method", "name", "size", "flags", "packed")

    def __init__(self, name, header, size, packed, crc, method, flags):
        self.name = name
        self.header = header
        self.size = size
        self.packed = packed
        self.crc = crc
        self.method = method
        self.flags = flags


class ArchiveReader:
    """The records of an archive.

    Parameters
    ----------
    source : Source

    Raises
    ------
    RuntimeError
        If the file is no archive, is cut off, or its directory contradicts itself. Names the file.
    """

    def __init__(self, source):
        self.source = source
        entries, start = self._directory()
        self.records = {}
        self.names = [record.name for record in entries]
        records = sorted(entries, key=lambda record: record.header)
        for record, after in zip(records, [*(record.header for record in records[1:]), start], strict=True):
            record.limit = after
            if record.header + _LOCAL.size + record.packed > after:
                self._fail(f"record {record.name!r} overlaps with what follows it")
        prefix = entries[0].name.partition("/")[0] + "/" if entries else ""
        for record in entries:
            if record.name.startswith(prefix):
                name = record.name[len(prefix) :]
                if name in self.records:
                    self._fail(f"there are two records {record.name!r}")
                self.records[name] = record

    def _fail(self, reason):
        raise RuntimeError(
            f"PytorchStreamReader failed reading zip archive: {reason} ({self.source.name}). The file was not saved completely, was damaged "
            "on its way, or is no archive that `save` wrote."
        )

    def _directory(self):
        """The records that the central directory lists, and the offset where it begins."""
        size = self.source.size
        tail_size = min(size, _END.size + _UINT16_MAX)
        tail = self.source.read(size - tail_size, tail_size)
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or len(tail) - at < _END.size:
            self._fail("failed finding central directory")
        end = size - tail_size + at
        _, disk, first_disk, here, count, length, start, _ = _END.unpack_from(tail, at)
        if at >= _LOCATOR64.size and tail[at - _LOCATOR64.size :][:4] == b"PK\x06\x07":
            _, _, end64, _ = _LOCATOR64.unpack_from(tail, at - _LOCATOR64.size)
            if end64 + _END64.size > end:
                self._fail("failed finding central directory: its 64-bit end lies outside the file")
            signature, _, _, _, disk, first_disk, here, count, length, start = _END64.unpack(self.source.read(end64, _END64.size))
            if signature != b"PK\x06\x06":
                self._fail("failed finding central directory: its 64-bit end is not where its locator says")
            end = end64
        if disk or first_disk or here != count:
            self._fail("it is spread over several files")
        if start + length > end or count * _CENTRAL.size > length:
            self._fail("the central directory does not fit into the file")
        data = self.source.read(start, length)
        records = []
        position = 0
        for _ in range(count):
            record, position = self._entry(data, position, start)
            records.append(record)
        return records, start

    def _entry(self, data, position, start):
        """The record that the directory describes at a position, and the position after it."""
        if position + _CENTRAL.size > len(data):
            self._fail("the central directory breaks off")
        fields = _CENTRAL.unpack_from(data, position)
        signature, _, _, flags, method, _, _, crc, packed, size, name_size, extra_size, comment_size, _, _, _, header = fields
        position += _CENTRAL.size
        after = position + name_size + extra_size + comment_size
        if signature != b"PK\x01\x02" or after > len(data):
            self._fail("the central directory breaks off")
        try:
            name = data[position : position + name_size].decode("utf-8")
        except UnicodeDecodeError:
            self._fail("the name of a record is no text")
        if _UINT32_MAX in (packed, size, header):
            size, packed, header = self._wide_fields(name, data[position + name_size : position + name_size + extra_size], size, packed, header)
        if header + _LOCAL.size + name_size + packed > start:
            self._fail(f"record {name!r} does not fit into the file: it claims {packed} bytes from {header} on")
        return _Record(name, header, size, packed, crc, method, flags), after

    def _wide_fields(self, name, extra, *fields):
        """Size, packed size and header offset of an entry, those that do not fit 32 bits from its 64-bit extra field."""
        position = 0
        while position + 4 <= len(extra):
            kind, length = struct.unpack_from("<2H", extra, position)
            wide = extra[position + 4 : position + 4 + length]
            position += 4 + length
            if kind == 1:
                fields = list(fields)
                for index in range(3):
                    if fields[index] == _UINT32_MAX and len(wide) >= 8:
                        fields[index] = struct.unpack_from("<Q", wide)[0]
                        wide = wide[8:]
                return fields
        self._fail(f"record {name!r} claims to be large, but its size is missing")

    def __contains__(self, name):
        return name in self.records

    def size(self, name):
        """The number of bytes of a record."""
        return self._record(name).size

    def _record(self, name):
        record = self.records.get(name)
        if record is None:
            raise RuntimeError(
                f"PytorchStreamReader failed locating file {name}: file not found ({self.source.name} has no such record; it was not written "
                "completely, or not by `save`)"
            )
        return record

    def offset(self, name):
        """The offset in the file of a record's first byte."""
        record = self._record(name)
        if record.flags & 1 or record.method or record.packed != record.size:
            self._fail(f"record {record.name!r} is compressed or encrypted, which `save` never does; unpack and store it")
        header = self.source.read(record.header, _LOCAL.size)
        fields = _LOCAL.unpack(header)
        offset = record.header + _LOCAL.size + fields[-2] + fields[-1]
        if fields[0] != b"PK\x03\x04" or offset + record.size > record.limit:
            self._fail(f"the header of record {record.name!r} is damaged")
        return offset

    def read(self, name):
        """The bytes of a record, checked against their checksum where there is one."""
        offset = self.offset(name)
        record = self.records[name]
        data = self.source.read(offset, record.size)
        if record.crc and zlib.crc32(data) != record.crc:
            self._fail(f"record {record.name!r} is damaged: its checksum is wrong")
        return data

    def read_into(self, name, view):
        """Fill a view with the first bytes of a record, which must be long enough."""
        self.source.read_into(self.offset(name), view)


class ArchiveWriter:
    """Writes an archive to a stream, from front to back.

    Parameters
    ----------
    stream : object
        Has `write`. It need not be seekable.
    name : str
        The folder that all records are in.
    alignment : int
        Contents of records begin at multiples of it.
    checksums : bool
        Whether to compute them; readers ignore a checksum of 0.
    large : int
        Sizes and offsets from here on are written in 64 bits.
    """

    def __init__(self, stream, name, *, alignment=64, checksums=True, large=_UINT32_MAX):
        self.stream = stream
        self.name = name
        self.alignment = alignment
        self.checksums = checksums
        self.large = large
        self.position = 0
        self.directory = []
        self.digest = 0

    def _write(self, data):
        done = self.stream.write(data)
        while type(done) is int and done < len(data):  # a file without a buffer may take less than it is given
            done += self.stream.write(memoryview(data)[done:])
        self.position += len(data)

    def write(self, name, data, size=None):
        """Append a record.

        Parameters
        ----------
        name : str
        data : bytes-like, of bytes, or None
            None leaves `size` bytes of zeros, without a checksum.
        size : int, optional
            The number of bytes, if `data` is None.
        """
        path = f"{self.name}/{name}".encode()
        size = len(data) if data is not None else size
        header = self.position
        wide_size, wide_header = size >= self.large, header >= self.large
        extra = b""
        if wide_size or wide_header:
            content = (struct.pack("<QQ", size, size) if wide_size else b"") + (struct.pack("<Q", header) if wide_header else b"")
            extra = struct.pack("<2H", 1, len(content)) + content
        padding = -(header + _LOCAL.size + len(path) + len(extra) + 4) % self.alignment
        filler = struct.pack("<2s1H", b"FB", padding) + b"Z" * padding
        flags = _UTF8 | (_DESCRIPTOR if size else 0)
        self._write(_LOCAL.pack(b"PK\x03\x04", 0, flags, 0, 0, 0, 0, 0, 0, len(path), len(extra) + len(filler)) + path + extra + filler)
        crc = 0
        if data is None:
            zeros = memoryview(bytes(min(size, 1 << 20)))
            for at in range(0, size, 1 << 20):
                self._write(zeros[: size - at])
        else:
            crc = zlib.crc32(data) if self.checksums else 0
            self._write(data)
        if size:
            self._write(struct.pack("<4sI2Q" if extra else "<4s3I", b"PK\x07\x08", crc, size, size))
        self.digest = zlib.crc32(struct.pack("<I", crc), self.digest)
        narrow = _UINT32_MAX if wide_size else size
        entry = _CENTRAL.pack(
            b"PK\x01\x02", 0, 0, flags, 0, 0, 0, crc, narrow, narrow, len(path), len(extra), 0, 0, 0, 0, _UINT32_MAX if wide_header else header
        )  # fmt: skip
        self.directory.append(entry + path + extra)

    def close(self):
        """Write the version, the identity of the contents, and the directory."""
        self.write("version", b"3\n")
        names = zlib.crc32(b"".join(self.directory))
        self.write(".data/serialization_id", f"{names:020d}{self.digest:020d}".encode())
        start = self.position
        self._write(b"".join(self.directory))
        end = self.position
        count = len(self.directory)
        self._write(_END64.pack(b"PK\x06\x06", _END64.size - 12, 0x031E, 0x2D, 0, 0, count, count, end - start, start))
        self._write(_LOCATOR64.pack(b"PK\x06\x07", 0, end, 1))
        self._write(
            _END.pack(
                b"PK\x05\x06", 0, 0, min(count, _UINT16_MAX), min(count, _UINT16_MAX), min(end - start, _UINT32_MAX), min(start, _UINT32_MAX), 0
            )
        )
