"""A side with other versions asked for, as a person names them: ``numpy==2.4.6``."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from harness.errors import UsageError
from harness.plan.side import Side, add_extras, only_extras
from harness.plan.toml_file import suggest


def change_side(baseline: Side, changes: Mapping[str, str], there: Collection[str]) -> Side:
    """The baseline with other versions asked for; what a file of the baseline pins may move with them.

    An upgrade drops no extras.

    Raises:
        UsageError: a package that is neither under test nor needed by what is.
    """
    known = {*baseline.tested, *there}
    for name in changes:
        if name == "python":
            raise UsageError("python is no package; name a matrix with another python")
        if name not in known:
            hint = suggest(name, known)
            raise UsageError(f"{name} is neither under test nor needed by what is under test{hint}")
    label = f"{baseline.label} with {' '.join(changes.values())}"
    asked = baseline.asked
    tested = baseline.tested | {
        name: add_extras(text, asked[name]) if name in asked else text for name, text in changes.items()
    }
    origins = baseline.origins | {name: f"the change {text}" for name, text in changes.items()}
    held = only_extras({name: text for name, text in baseline.held.items() if name not in changes})
    return msgspec.structs.replace(
        baseline, label=label, tested=tested, origins=origins, held=held, left_out=(), notes=()
    )
