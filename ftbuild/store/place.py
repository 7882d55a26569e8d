"""Where a store may lie: on a disk of this machine.

Locks of the kernel and SQLite hold on a local disk. On a network they fail late, after they have
reported success, so such a place is refused, by the type of its file system.
Sources: SQLite, "How To Corrupt An SQLite Database File", 2.1; Linux proc_pid_mountinfo(5).
"""

from pathlib import Path

from ftbuild.errors import StoreError
from ftbuild.problem import Problem

MOUNTS = Path("/proc/self/mountinfo")
NETWORKED = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "coda", "lustre", "gpfs", "beegfs", "ceph", "glusterfs", "orangefs"}
    | {"pvfs2", "ocfs2", "gfs2", "davfs"}
    | {f"fuse.{name}" for name in ("sshfs", "s3fs", "gcsfuse", "rclone", "glusterfs", "ceph", "davfs", "juicefs")}
)


def refuse_network(folder: Path, mounts: Path = MOUNTS) -> None:
    """Say nothing where `folder` lies on a disk of this machine, or where the system does not tell.

    Raises:
        StoreError: it lies on a network.
    """
    try:
        text = mounts.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    kind = file_system(folder.absolute(), text)
    if kind in NETWORKED:
        raise StoreError(
            Problem(
                f"lies on a network ({kind}), where locks cannot be trusted",
                str(folder),
                why="Two machines could launch one job twice.",
                fix="name a folder on a local disk in the environment: FTBUILD_STORE=FOLDER.",
            )
        )


def file_system(path: Path, mountinfo: str) -> str | None:
    """Return the type of the file system that holds `path`: of the last mount at the deepest point above it."""
    best: tuple[int, str] | None = None
    for line in mountinfo.splitlines():
        left, separator, right = line.partition(" - ")
        if not separator or not right.split() or len(left.split()) < 5:
            continue
        point = Path(left.split()[4].encode().decode("unicode_escape"))
        if path.is_relative_to(point) and (best is None or len(point.parts) >= best[0]):
            best = (len(point.parts), right.split()[0])
    return best[1] if best else None
