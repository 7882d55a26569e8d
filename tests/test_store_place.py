"""Where a store may lie: on a local disk; a network is refused by name."""

from pathlib import Path

import pytest

from ftbuild.errors import StoreError
from ftbuild.store.place import MOUNTS, file_system, refuse_network

TABLE = r"""22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:26 / /home rw shared:1 - nfs4 server:/home rw,vers=4.2
31 30 254:1 / /home/me/fast rw - xfs /dev/vdb rw
32 22 0:40 / /mnt/my\040share rw - cifs //server/share rw
33 22 0:41 / /mnt/ssh rw - fuse.sshfs me@host: rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/outputs", "ext4"),
        ("/home/me/project/outputs", "nfs4"),
        ("/home/me/fast/outputs", "xfs"),
        ("/homestead", "ext4"),
        ("/mnt/my share/x", "cifs"),
        ("/mnt/ssh", "fuse.sshfs"),
    ],
)
def test_the_deepest_mount_says_the_type(path: str, kind: str) -> None:
    assert file_system(Path(path), TABLE) == kind


def test_no_table_no_type() -> None:
    assert file_system(Path("/x"), "") is None
    assert file_system(Path("/x"), "rubbish\n\n - ") is None


@pytest.mark.parametrize("folder", ["/home/me/project/outputs/.ftbuild", "/mnt/ssh/outputs/.ftbuild"])
def test_a_network_is_refused_with_a_way_out(folder: str, tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text(TABLE)
    with pytest.raises(StoreError) as caught:
        refuse_network(Path(folder), tmp_path / "mounts")
    assert str(caught.value) == (
        f"{folder}: lies on a network ({file_system(Path(folder), TABLE)}), where locks cannot be trusted\n"
        "    Two machines could launch one job twice.\n"
        "    Fix: name a folder on a local disk in the environment: FTBUILD_STORE=FOLDER."
    )


def test_a_local_disk_and_a_system_that_does_not_tell_are_fine(tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text(TABLE)
    refuse_network(Path("/home/me/fast"), tmp_path / "mounts")
    refuse_network(Path("/home/me"), tmp_path / "there is none")
    refuse_network(tmp_path, MOUNTS)
