"""Bytecode that environments share."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.stores import Yard, yard_fixture  # noqa: F401 - fixtures

from harness.store import manifest
from harness.store.manifest import BytecodePool, inherit_bytecode


def test_bytecode_is_shared_by_environments_that_link_to_the_same_file(yard: Yard) -> None:
    first, second = yard.make(yard.lock("arm")), yard.make(yard.lock("arm", "leg"))
    subprocess.run([first / "bin" / "python", "-c", "import arm"], check=True, cwd=yard.folder)
    subprocess.run([first / "bin" / "python", "-m", "compileall", "-q", first / "lib"], check=True)
    pool = BytecodePool()
    asyncio.run(pool.take(first))
    linked = yard.module(first, "arm").samefile(yard.module(second, "arm"))
    assert pool.give(second) >= (1 if linked else 0)
    assert asyncio.run(manifest.remove_damaged_bytecode(second)) == ()
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


def test_a_new_environment_inherits_the_bytecode_that_was_checked_in_another(yard: Yard) -> None:
    first = yard.make(yard.lock("arm"))
    compile_all(first)
    second = yard.make(yard.lock("arm", "leg"))
    if not yard.module(first, "arm").samefile(yard.module(second, "arm")):
        pytest.skip("uv copies files here")
    assert compiled(second) == {}, "it was not checked"
    yard.make(yard.lock("arm"))  # each use checks it
    arm, heir = compiled(first)["arm"], yard.make(yard.lock("arm", "hand"))
    assert {name: path.samefile(arm) for name, path in compiled(heir).items()} == {"arm": True}
    assert asyncio.run(manifest.remove_damaged_bytecode(heir)) == ()

    before, source, aside = arm.stat(), yard.module(first, "arm"), yard.folder / "arm.py"
    os.utime(arm, ns=(0, 0))
    assert inherit_bytecode(second, [first]) == 0, "it was changed since"
    os.utime(arm, ns=(before.st_atime_ns, before.st_mtime_ns))
    source.rename(aside)
    shutil.copy2(aside, source)
    assert inherit_bytecode(second, [first]) == 0, "it is of another source"
    aside.rename(source)
    assert (inherit_bytecode(second, [first]), inherit_bytecode(second, [first])) == (1, 0)


def test_bytecode_of_another_file_is_not_taken(yard: Yard, tmp_path: Path) -> None:
    first, second = yard.make(yard.lock("arm")), yard.make(yard.lock("arm", "leg"))
    module = yard.module(second, "arm")
    module.unlink()
    module.write_text("LIMB = 2\n")
    subprocess.run([first / "bin" / "python", "-c", "import arm"], check=True, cwd=tmp_path)
    pool = BytecodePool()
    asyncio.run(pool.take(first))
    assert pool.give(second) == 0


def test_damaged_bytecode_is_removed_and_never_given_to_others(yard: Yard) -> None:
    lock = yard.lock("arm", "leg")
    environment = yard.make(lock)
    compile_all(environment)
    (bad,) = environment.rglob("arm.*.pyc")
    (good,) = environment.rglob("leg.*.pyc")
    os.truncate(bad, bad.stat().st_size // 2)
    other = yard.make(yard.lock("arm"))
    pool = BytecodePool()
    asyncio.run(pool.take(environment))
    assert (pool.give(other), bad.exists(), good.exists()) == (0, False, True)

    compile_all(environment)
    assert yard.make(lock) == environment
    for planted in (b"", bad.read_bytes()[:100], bad.read_bytes()[:16] + bytes(100), b"\x00" * 100):
        bad.unlink(missing_ok=True)
        bad.write_bytes(planted)
        yard.make(lock)
        subprocess.run([environment / "bin" / "python", "-c", "import arm"], check=True, cwd=yard.folder)
    told = f"environment {environment.name}: 1 file of damaged bytecode removed, such as {bad.name}"
    assert yard.said == [told, told]


def test_bytecode_that_ends_its_interpreter_is_removed(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = yard.lock("arm")
    environment = yard.make(lock)
    compile_all(environment)
    monkeypatch.setattr(manifest, "_CHECK", "import os; os.abort()")
    yard.make(lock)
    assert list(environment.rglob("arm.*.pyc")) == []


def compiled(environment: Path) -> dict[str, Path]:
    """The bytecode of the modules from wheels, by module."""
    found = environment.glob("lib/python*/site-packages/__pycache__/*.pyc")
    return {name: path for path in found if not (name := path.name.partition(".")[0]).startswith("_")}


def compile_all(environment: Path) -> None:
    python = environment / "bin" / "python"
    subprocess.run([python, "-m", "compileall", "-q", environment / "lib"], check=True)
