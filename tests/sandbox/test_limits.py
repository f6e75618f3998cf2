"""What a script can still do at its limits, and what it is told; that it is stopped is in test_bombs.py."""

from pathlib import Path
from textwrap import dedent

from sandbox.base import Limits
from sandbox.local import LocalSandbox
from tests.sandbox.bombs import BOMBS
from tests.sandbox.scenes import SMALL, play

BRIEF = Limits(cpus=2, memory_mb=512, seconds=1, processes=24, written_mb=16, output_mb=1)


async def test_more_processor_time_than_the_share_is_told(sandbox: LocalSandbox) -> None:
    """With a control group the share is enforced by slowing down, so either limit may be met first."""
    played = await play(sandbox, "while True: pass", limits=Limits(cpus=0.25, seconds=2))
    assert played.outcome.kind in ("cpu", "timeout")


async def test_a_memory_error_leaves_a_traceback_to_learn_from(sandbox: LocalSandbox) -> None:
    played = await play(sandbox, "import numpy as np\nx = np.ones(2**30)", limits=SMALL)
    assert "MemoryError" in played.stderr
    assert "512 MB" in played.outcome.message


async def test_a_script_may_save_its_work_when_time_is_up(sandbox: LocalSandbox, tmp_path: Path) -> None:
    script = """
        from pathlib import Path
        try:
            while True: sum(range(1000))
        except KeyboardInterrupt:
            Path("outputs/best.txt").write_text("so far")
    """
    played = await play(sandbox, dedent(script), limits=BRIEF, outputs=tmp_path / "out")
    assert played.outcome.kind == "timeout"
    assert (tmp_path / "out/best.txt").read_text() == "so far"


async def test_a_memory_mapped_file_may_be_larger_than_memory(sandbox: LocalSandbox) -> None:
    script = """
        import numpy as np
        m = np.memmap("outputs/m", dtype="u1", mode="w+", shape=(2**23,))
        m[::4096] = 1
        print(m.sum())
    """
    assert (await play(sandbox, dedent(script))).stdout == "2048\n"


async def test_a_full_box_does_not_hinder_the_next_run(sandbox: LocalSandbox) -> None:
    await play(sandbox, BOMBS["many files"].text, limits=BRIEF)
    script = "from pathlib import Path\nPath('outputs/a').write_bytes(bytes(15_000_000))\nprint('fits')"
    assert (await play(sandbox, script, limits=BRIEF)).stdout == "fits\n"


async def test_what_was_printed_up_to_the_limit_is_kept(sandbox: LocalSandbox) -> None:
    played = await play(sandbox, "while True: print('x' * 99)", limits=BRIEF)
    assert len(played.stdout) == played.outcome.output_bytes == 2**20
