"""Codes in place of names: a keyed hash of each, and the key, which is kept out of the study."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import sys
import tempfile
import unicodedata
from pathlib import Path

from emoclip_clinic.errors import StudyError
from emoclip_clinic.files import make_folder

__all__ = ["KEY_VARIABLE", "Pseudonyms", "key_path", "read_or_make_key"]

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, U, which are misread."""
CODE_LETTERS = 8
"""40 bits: among 1,000 names two share a code once in two million keys, and that is noticed."""
KEY_BYTES = 32
KEY_VARIABLE = "EMOCLIP_CLINIC_KEY"
LETTERS = {"participant": "P", "rater": "R", "session": "S", "recording": "X"}
ALONE = (
    "admission|assessment|baseline|discharge|endpoint|enrolment|enrollment|follow[-_ ]?up|"
    "inclusion|intake|interview|posttreatment|pre|pretreatment|retest|screening|visit"
)
"""Words that say which visit it was, with a number and without."""
COUNTED = "bl|d|day|fu|m|month|phase|post|ses|session|t|test|time|timepoint|tp|v|w|wave|week|y|year"
"""Words and letters that say so with a number; by themselves they may be a name or initials."""
NUMBER = "[0-9]{1,3}"
PLAIN_SESSION = re.compile(
    rf"(?:ses[-_])?(?:(?:{ALONE})(?:[-_ ]?{NUMBER})?|(?:{COUNTED})[-_ ]?{NUMBER}|{NUMBER}"
    # Post is a name too, and so are VI and XI of the Roman numbers
    r"|(?-i:post|I{1,3}|I?V))",
    re.ASCII | re.IGNORECASE,
)
"""Sessions that stay: "01", "baseline", "week-12"; anything else may be a name or a date."""


class Pseudonyms:
    """Codes by HMAC-SHA256: one key gives a name the same code everywhere, another key another.

    Parameters
    ----------
    key
        32 bytes; None leaves every name as it is.
    """

    def __init__(self, key: bytes | None) -> None:
        self.key = key
        self._names: dict[str, str] = {}

    def code(self, kind: str, name: str) -> str:
        """Give the code of a name, such as "P-7KQ2M4XA".

        Parameters
        ----------
        kind
            "participant", "rater", "session" or "recording": a rater has another code than a
            participant of the same name.
        name
            As the study has it; the two ways that Unicode writes an accented letter are one.

        Raises
        ------
        StudyError
            Another name has that code already.
        """
        if self.key is None:
            return name
        text = unicodedata.normalize("NFC", name)
        keyed = hmac.digest(self.key, f"{kind}\n{text}".encode("utf-8", "surrogatepass"), "sha256")
        code = f"{LETTERS[kind]}-{_readable(keyed)}"
        if self._names.setdefault(code, name) != name:
            raise StudyError(
                f"two {kind}s have one code: {name!r} and {self._names[code]!r}. If they are "
                f"one {kind}, write the name the same way everywhere; else name another --key FILE."
            )
        return code

    def session(self, name: str) -> str:
        """Keep a session's name if it can be no name and no date; a code for any other."""
        return name if PLAIN_SESSION.fullmatch(name) else self.code("session", name)

    def sha256(self, digest: str) -> str:
        """Hash a hash once more, so that nobody recognises a file by it who has not the key."""
        return hmac.new(self.key or b"not shared", digest.encode(), hashlib.sha256).hexdigest()


def _readable(digest: bytes) -> str:
    number = int.from_bytes(digest[:8], "big")
    return "".join(ALPHABET[number >> 5 * place & 31] for place in range(CODE_LETTERS))


def key_path(given: Path | None) -> Path:
    """Find the key's file: `given`, else $EMOCLIP_CLINIC_KEY, else one in the home folder."""
    chosen = given or os.environ.get(KEY_VARIABLE)
    return Path(chosen) if chosen else Path.home() / ".emoclip-clinic" / "pseudonyms.key"


def read_or_make_key(path: Path, forbidden: tuple[Path, ...] = ()) -> tuple[bytes, bool]:
    """Read a key; where there is no file, make one that only its owner can read.

    Parameters
    ----------
    path
        The key's file: 64 hexadecimal digits.
    forbidden
        Folders that it must not lie in: the study, and what is shared.

    Returns
    -------
    key
        32 bytes.
    made
        Whether it is new.

    Raises
    ------
    StudyError
        It lies in one of those folders, others can read it, or it is no key.
    """
    real = Path(os.path.realpath(path))
    for folder in forbidden:
        if real.is_relative_to(os.path.realpath(folder)):
            raise StudyError(
                f"the key {path} lies in {folder}: whoever gets that folder could undo the codes. "
                "Move it elsewhere, or name another file with --key FILE."
            )
    try:
        if not path.exists():
            return _make(path), True
        if sys.platform != "win32" and path.stat().st_mode & 0o077:
            raise StudyError(f"others can read the key {path}. Do 'chmod 600' on it, then go on.")
        return _parsed(path), False
    except OSError as error:
        raise StudyError(
            f"the key {path} cannot be read or made ({error.strerror or error}). Name another "
            "file with --key FILE."
        ) from error


def _make(path: Path) -> bytes:
    key = secrets.token_bytes(KEY_BYTES)
    make_folder(path.parent)
    # beside its place, so that a kill leaves a whole key or none
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(key.hex().encode() + b"\n")
            file.flush()
            os.fsync(handle)
        _put(Path(name), path)
    finally:
        Path(name).unlink(missing_ok=True)
    return key


def _put(key: Path, path: Path) -> None:
    """Put a key in its place, if that is still empty: what another process just made stays."""
    try:
        os.link(key, path)
    except OSError:
        # it is there, or the drive knows no links
        if path.exists():
            raise
        key.replace(path)


def _parsed(path: Path) -> bytes:
    text = path.read_bytes().strip()
    if not re.fullmatch(rb"[0-9a-f]{64}", text):
        raise StudyError(
            f"{path} is not a key: allowed are 64 hexadecimal digits and nothing else. Name the "
            "right file with --key FILE, or one that does not exist yet: it is then made."
        )
    return bytes.fromhex(text.decode())
