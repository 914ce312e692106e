"""Reading zip archives (also EPUBs) without letting a small file fill the memory."""

from __future__ import annotations

import zipfile
import zlib

# One document is held in memory at a time; the longest English novels are 3 MB, a whole encyclopedia 300 MB.
MEMBER_BYTES = 512_000_000
# Deflate reaches at most 1032:1; plain text 3:1, mark-up 20:1. Beyond 200:1 it is a zip bomb.
MEMBER_RATIO = 200


class RefusedMember(Exception):
    """A member of an archive that is not read; the message says why, countable before the colon."""


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """The content of one member.

    Raises RefusedMember when it is encrypted, too large or compressed beyond belief, or damaged.
    zipfile itself never returns more bytes than the size that the directory declares.
    """
    if member.flag_bits & 0x1:
        raise RefusedMember("encrypted")
    if member.file_size > MEMBER_BYTES:
        raise RefusedMember(f"too big: {member.file_size / 1e6:,.0f} MB (at most {MEMBER_BYTES / 1e6:,.0f})")
    if member.file_size > MEMBER_RATIO * max(member.compress_size, 1):
        raise RefusedMember(f"zip bomb: {member.file_size / max(member.compress_size, 1):,.0f} times its packed size")
    try:
        return archive.read(member)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise RefusedMember(f"damaged in the zip: {error}") from error
