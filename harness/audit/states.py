"""Which findings decide: not those that a comment ignores for a reason, nor those of a baseline file."""

from __future__ import annotations

import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from harness.errors import UsageError
from harness.files import write_output
from harness.input_files import read_input
from harness.records.audit import AuditFinding

_IGNORE = re.compile(r"#\s*harness:\s*ignore\[(?P<rules>[^\]]*)\]\s*(?P<reason>.*)$")


class _Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True, order=True):
    """A finding of old code; without its line number, which edits elsewhere in the file change."""

    path: str
    rule: str
    code: str


class _Baseline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    findings: tuple[_Known, ...]
    schema: int = 1


def with_sources(found: Iterable[AuditFinding]) -> tuple[AuditFinding, ...]:
    """The findings with their code, and those ignored that a comment ignores.

    The comment ``# harness: ignore[rule] reason`` is at a line of the finding, or alone before it.
    """
    texts: dict[str, str] = {}
    comments: dict[str, Mapping[int, re.Match[str]]] = {}
    done = []
    for each in found:
        if each.path not in texts:
            texts[each.path] = Path(each.path).read_text(encoding="utf-8", errors="replace")
            comments[each.path] = find_comments(texts[each.path])
        lines = texts[each.path].split("\n")  # as the engine counts them
        code = lines[each.line - 1].strip() if each.line <= len(lines) else ""
        done.append(_ignore(msgspec.structs.replace(each, code=code), comments[each.path], lines))
    return tuple(done)


def find_comments(text: str) -> dict[int, re.Match[str]]:
    """Line number -> the comment that ignores something there."""
    if "harness:" not in text:
        return {}
    found = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT and (match := _IGNORE.match(token.string)):
                found[token.start[0]] = match
    except (tokenize.TokenError, SyntaxError):  # the engine reads some files that Python does not
        pass
    return found


def _ignore(
    finding: AuditFinding, comments: Mapping[int, re.Match[str]], lines: Sequence[str]
) -> AuditFinding:
    before = finding.line - 1
    places = [*range(finding.line, finding.end_line + 1)]
    if before in comments and lines[before - 1].lstrip().startswith("#"):
        places.append(before)
    for place in places:
        if place in comments and finding.rule in map(str.strip, comments[place]["rules"].split(",")):
            if reason := comments[place]["reason"].strip():
                return msgspec.structs.replace(finding, state="ignored", note=reason)
            return msgspec.structs.replace(
                finding, note=f"the comment in line {place} gives no reason, so it ignores nothing"
            )
    return finding


def apply_baseline(found: Iterable[AuditFinding], path: Path) -> tuple[AuditFinding, ...]:
    """The findings with those marked that the file has; each entry covers one finding.

    Raises:
        UsageError: the file cannot be read or is no baseline.
    """
    try:
        known = msgspec.json.decode(read_input(path), type=_Baseline)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: no baseline of `harness audit --update-baseline`: {error}") from error
    left = Counter(known.findings)
    done = []
    for each in found:
        key = _to_known(each, path.parent)
        covered = each.state == "new" and left[key] > 0
        left[key] -= covered
        done.append(msgspec.structs.replace(each, state="baseline") if covered else each)
    return tuple(done)


def write_baseline(found: Iterable[AuditFinding], path: Path) -> None:
    """Write a baseline of all findings that are not ignored; paths are relative to its folder."""
    known = sorted(_to_known(each, path.parent) for each in found if each.state != "ignored")
    text = msgspec.json.format(msgspec.json.encode(_Baseline(findings=tuple(known))), indent=1)
    write_output(path, text + b"\n")


def _to_known(finding: AuditFinding, folder: Path) -> _Known:
    place = Path(finding.path).absolute()
    root = folder.absolute()
    name = place.relative_to(root) if place.is_relative_to(root) else place
    return _Known(path=name.as_posix(), rule=finding.rule, code=finding.code)
