"""What a command that is killed leaves behind: nothing that runs."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.child_processes import children, decoders, gone, linux_only
from tests.videos import numbered_frames, write_video

USER = """
import sys, time
from pathlib import Path
from emoclip_clinic.cluster import on_cores
from emoclip_clinic.video import isolated

def read(path):
    frames = isolated.read_frames(path, range(3))
    next(frames)
    print("reading", flush=True)
    time.sleep(600)

list(on_cores(2)(read, [Path(sys.argv[1])] * 2))
"""


@linux_only
def test_processes_and_their_decoders_end_with_a_killed_command(tmp_path: Path) -> None:
    """Processes of `cores:N` notice that their parent is gone, and their decoders that they are."""
    path = write_video(tmp_path / "a.mp4", numbered_frames(3))
    command = [sys.executable, "-c", USER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as user:
        assert user.stdout is not None
        assert [user.stdout.readline() for _ in range(2)] == [b"reading\n"] * 2
        workers = children(user.pid)
        readers = {one for worker in workers for one in decoders(worker)}
        user.send_signal(signal.SIGKILL)
        # not to its end: what outlives the command holds the pipe
        user.stdout.close()
    assert len(readers) == 2
    assert all(gone(pid) for pid in workers | readers)
