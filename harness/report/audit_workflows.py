"""CI pipelines that show the findings of an audit where code is reviewed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePosixPath

from harness.report.pipelines import Forge, check_install, check_path, load_template, name_group

_PIPELINES = {"github": ".github/workflows/audit.yml", "gitlab": ".gitlab-ci.yml"}


@dataclass(frozen=True, kw_only=True)
class AuditPipeline:
    """The settings of a pipeline that audits the code below ``path``; see ``Pipeline`` for the others."""

    path: str
    install: str
    python: str = "3.11"


def render_audit_workflow(forge: Forge, pipeline: AuditPipeline) -> str:
    """Render the pipeline of a forge as YAML.

    Raises:
        UsageError: a value has a special meaning in YAML or in a shell.
    """
    check_path("--audit", pipeline.path)
    check_install(pipeline.install, pipeline.python)
    path = str(PurePosixPath(pipeline.path))
    return load_template(f"{forge}_audit.yml.j2").render(
        path=json.dumps(path),
        shown=json.dumps(path) if " " in path else path,
        paths=[json.dumps(each) for each in (_find_pattern(path), _PIPELINES[forge])],
        group=name_group("audit", path),
        install=json.dumps(pipeline.install),
        python=json.dumps(pipeline.python),
        image=json.dumps(f"python:{pipeline.python}"),
    )


def _find_pattern(path: str) -> str:
    """The files whose change starts the audit."""
    if path.endswith(".py"):
        return path
    return "**/*.py" if path == "." else f"{path}/**/*.py"
