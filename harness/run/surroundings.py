"""The environment variables of a cell process, built from nothing: no tokens, proxies or own settings.

A cell runs code of packages and subjects as the user of the harness. What that code is kept from:

- It inherits no variable, no open file but its channel, and an empty home.
- The environment of the controller, and of what the controller starts, holds only what these need
  (``harness.protection``); on Linux a cell of an unprivileged user cannot read environment or memory of the
  controller at all.
- Credentials in what it prints are taken out when it has ended; until then its log holds them.

What it is not kept from:

- files of the user by absolute paths: the real home with ``.netrc``, ``.ssh`` and ``pip.conf``, other runs;
- the network;
- processes of the same user other than the controller: the environments of the shell, nox or the CI runner
  that started the harness, and arguments and environment of uv, pip and git while they run, with the
  credentials of indexes and proxies;
- as root, the memory of every process, the controller's included.

Where that matters, run the harness as a user of its own, in a container or a job without secrets.
"""

from __future__ import annotations

from pathlib import Path

_THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def make_surroundings(python: Path, suite: Path, workdir: Path, threads: int) -> dict[str, str]:
    """Every variable that a cell process gets, but for its channel.

    ``workdir`` gets an empty home and a folder for temporary files. Nothing of the controller's own
    environment is passed on, so that a cell sees the same on every machine and cannot leak a secret.
    """
    home, temporary = workdir / "home", workdir / "tmp"
    for folder in (home, temporary):
        folder.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": f"{python.parent}:/usr/bin:/bin",
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(suite),
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        "PYTHONSAFEPATH": "1",  # known from Python 3.11 on, ignored before
        "PYTHONUNBUFFERED": "1",  # the last words of a process that is killed are in its log
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "CI": "true",  # openvino sends telemetry at import unless it sees a CI
        "TOKENIZERS_PARALLELISM": "false",
        **dict.fromkeys(_THREADS, str(threads)),
    }
