"""Bytecode that environments share."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

from unit.stores import Yard, yard_fixture  # noqa: F401 - fixtures

from harness.run.bytecode import BytecodePool


def test_bytecode_is_shared_by_environments_that_link_to_the_same_file(yard: Yard) -> None:
    first, second = yard.make(yard.lock("arm")), yard.make(yard.lock("arm", "leg"))
    subprocess.run([first / "bin" / "python", "-c", "import arm"], check=True, cwd=yard.folder)
    subprocess.run([first / "bin" / "python", "-m", "compileall", "-q", first / "lib"], check=True)
    pool = BytecodePool()
    asyncio.run(pool.take(first))
    linked = yard.module(first, "arm").samefile(yard.module(second, "arm"))
    assert pool.give(second) >= (1 if linked else 0)
    assert pool.give(second) == 0
    said = subprocess.run(
        [second / "bin" / "python", "-v", "-c", "import arm; print(arm.__cached__, arm.LIMB)"],
        check=True,
        capture_output=True,
        text=True,
        cwd=yard.folder,
    )
    assert f"{yard.module(second, 'arm').parent}/__pycache__/arm" in said.stdout
    assert not linked or "arm.cpython" in said.stderr.partition("matches ")[2]
    assert yard.make(yard.lock("arm", "leg")) == second
    assert yard.said == []


def test_bytecode_of_another_file_is_not_taken(yard: Yard, tmp_path: Path) -> None:
    first, second = yard.make(yard.lock("arm")), yard.make(yard.lock("arm", "leg"))
    module = yard.module(second, "arm")
    module.unlink()
    module.write_text("LIMB = 2\n")
    subprocess.run([first / "bin" / "python", "-c", "import arm"], check=True, cwd=tmp_path)
    pool = BytecodePool()
    asyncio.run(pool.take(first))
    assert pool.give(second) == 0
