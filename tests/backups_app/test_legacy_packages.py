"""A package of unknown origin comes out below its folder, or not at all; nothing leads outside or fills the disk."""

import io
import os
import stat
import tarfile
import zipfile

import pytest

from backups_app.legacy.files import Unreadable
from backups_app.legacy.packages import Bounds, is_package, unpack

FILES = {"store/a.json": b"[]", "store/deep/b.json": b"{}" * 1000, "./c.txt": b""}


def tar(path, *members, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for member, data in members:
            archive.addfile(member, io.BytesIO(data))
    return path


def named(name, size=0, kind=tarfile.REGTYPE, **more):
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    for key, value in more.items():
        setattr(member, key, value)
    return member


def zipped(path, *members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members:
            archive.writestr(member, data)
    return path


def link(name):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


@pytest.mark.parametrize("name", ["s.zip", "s.tar", "s.tar.gz", "s.TGZ"])
def test_what_is_in_a_package_comes_out(tmp_path, name):
    path = tmp_path / name
    if name == "s.zip":
        zipped(path, *FILES.items())
    else:
        mode = "w" if name == "s.tar" else "w:gz"
        tar(path, *((named(file, len(data)), data) for file, data in FILES.items()), mode=mode)
    unpack(path, tmp_path / "out")
    found = {str(file.relative_to(tmp_path / "out")): file for file in (tmp_path / "out").rglob("*") if file.is_file()}
    assert {file: path.read_bytes() for file, path in found.items()} == {
        file.removeprefix("./"): data for file, data in FILES.items()
    }
    assert not any(stat.S_IMODE(path.stat().st_mode) & 0o111 for path in found.values())
    assert is_package(name)


HOSTILE = {
    "up": lambda path: tar(path, (named("../x", 1), b"x")),
    "up inside": lambda path: tar(path, (named("a/../../x", 1), b"x")),
    "absolute": lambda path: tar(path, (named("/tmp/x", 1), b"x")),
    "link": lambda path: tar(path, (named("x", kind=tarfile.SYMTYPE, linkname="/etc/passwd"), b"")),
    "link, then through it": lambda path: tar(
        path, (named("d", kind=tarfile.SYMTYPE, linkname="/tmp"), b""), (named("d/x", 1), b"x")
    ),
    "hard link": lambda path: tar(path, (named("x", kind=tarfile.LNKTYPE, linkname="/etc/passwd"), b"")),
    "device": lambda path: tar(path, (named("x", kind=tarfile.CHRTYPE, devmajor=1, devminor=5), b"")),
    "pipe": lambda path: tar(path, (named("x", kind=tarfile.FIFOTYPE), b"")),
    "twice": lambda path: tar(path, (named("x", 1), b"a"), (named("x", 1), b"b")),
    "a file and a folder": lambda path: tar(path, (named("x", 1), b"a"), (named("x/y", 1), b"b")),
    "backslash": lambda path: tar(path, (named("..\\x", 1), b"x")),
    "bomb": lambda path: tar(path, (named("x", 40_000_000), bytes(40_000_000))),
    "many": lambda path: tar(path, *((named(f"f{number}"), b"") for number in range(60))),
    "long header": lambda path: tar(
        path, (named("x", kind=tarfile.XHDTYPE, size=30_000_000), bytes(30_000_000)), (named("y"), b"")
    ),
    "damaged": lambda path: path.write_bytes(b"\x1f\x8b" + os.urandom(500)),
    "no tar": lambda path: path.write_bytes(b"no tar at all" * 100),
}
HOSTILE_ZIP = {
    "up": lambda path: zipped(path, ("../x", b"x")),
    "absolute": lambda path: zipped(path, ("/tmp/x", b"x")),
    "link": lambda path: zipped(path, (link("x"), b"/etc/passwd")),
    "bomb": lambda path: zipped(path, ("x", bytes(40_000_000))),
    "many": lambda path: zipped(path, *((f"f{number}", b"") for number in range(60))),
    "long list": lambda path: zipped(path, *((f"{number:0200}", b"") for number in range(40))),
    "cut": lambda path: path.write_bytes(zipped(path, ("x", os.urandom(5000))).read_bytes()[:3000]),
    "changed": lambda path: path.write_bytes(
        zipped(path, ("x", bytes(range(256)))).read_bytes().replace(bytes(range(9, 20)), bytes(11))
    ),
}


WHY = {
    "up": "leads outside", "up inside": "leads outside", "absolute": "leads outside", "backslash": "leads outside",
    "link": "link or a device|no plain file", "link, then through it": "no plain file", "hard link": "no plain file",
    "device": "no plain file", "pipe": "no plain file", "twice": "File exists", "a file and a folder": "damaged",
    "bomb": "more comes out|unpacks to more", "many": "more than 50 entries", "long header": "header in it is longer",
    "damaged": "damaged", "no tar": "damaged", "long list": "list of entries is longer", "cut": "without its end",
    "changed": "damaged",
}  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("what", [*HOSTILE, *(f"zip {what}" for what in HOSTILE_ZIP)])
def test_a_hostile_package_is_refused_and_nothing_gets_out(tmp_path, what):
    within = tmp_path / "within"
    within.mkdir()
    is_zip = what.startswith("zip ")
    path = within / ("s.zip" if is_zip else "s.tar.gz")
    (HOSTILE_ZIP[what.removeprefix("zip ")] if is_zip else HOSTILE[what])(path)
    if what == "damaged":
        path = path.rename(within / "s.tgz")
    before = {file for file in tmp_path.rglob("*") if within / "out" not in file.parents}
    bounds = Bounds(most_entries=50, list_bytes=5_000 if is_zip else 2_000_000)
    with pytest.raises(Unreadable, match=WHY[what.removeprefix("zip ")]):
        unpack(path, within / "out", bounds)
    after = {file for file in tmp_path.rglob("*") if within / "out" not in file.parents}
    assert after - before == {within / "out"}
    assert sum(file.stat().st_size for file in (within / "out").rglob("*")) < 20_000_000
    assert not any(file.is_symlink() for file in (within / "out").rglob("*"))
