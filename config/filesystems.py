"""Which file system a path is on."""

import os
from pathlib import Path

NETWORK_FILESYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ncpfs", "9p", "ceph", "glusterfs", "lustre", "fuse.sshfs"}
)
MOUNTS = Path("/proc/self/mounts")


def network_filesystem(path: str | Path) -> str | None:
    """Return the type of the network file system that holds `path`, or None for a local one.

    None as well where the system has no table of mounts (not Linux), or for a database in memory.
    """
    if ":memory:" in str(path) or "mode=memory" in str(path) or not MOUNTS.exists():
        return None
    kind = filesystem_type(Path(path), MOUNTS.read_text(encoding="utf-8", errors="replace"))
    return kind if kind in NETWORK_FILESYSTEMS else None


def filesystem_type(path: Path, mounts: str) -> str | None:
    """Return the type of the file system of `path`, judged by the longest mount point above it.

    `mounts` is a table in the form of /proc/self/mounts: device, mount point, type and more; a mount a line.
    """
    place = os.path.realpath(path)
    best, kind = "", None
    for line in mounts.splitlines():
        _device, mounted, found, *_options = line.split(" ")
        point = mounted.replace("\\040", " ")
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        # Later lines hide earlier ones with the same mount point.
        if inside and len(point) >= len(best):
            best, kind = point, found
    return kind
