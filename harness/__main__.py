"""``python -m harness`` is the command ``harness``."""

from __future__ import annotations

from typing import NoReturn

from harness.protection import protect_process


def main() -> NoReturn:
    """Run the command line in a process that holds no secrets where others can read them."""
    protect_process()
    from harness.cli.main import main as run_command  # noqa: PLC0415 - costs a second, which is spent once

    run_command()


if __name__ == "__main__":
    main()
