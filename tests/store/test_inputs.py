from __future__ import annotations

from pathlib import Path

from support.plan_texts import PLAIN, make_matrix

from harness.store.models import identify_subject

SUBJECT = PLAIN + '\n[subject]\nnormalizer = "service.norm:to_unit"\nsearch-path = ["src"]\n'


def test_what_the_subject_reads_belongs_to_it_and_what_lies_beside_it_does_not(tmp_path: Path) -> None:
    (tmp_path / "src" / "service").mkdir(parents=True)
    (tmp_path / "src" / "service" / "norm.py").write_text("def to_unit(rows): ...\n")
    matrix = make_matrix(tmp_path, SUBJECT)
    seen = [identify_subject(matrix.subject, matrix.search_path)]
    (tmp_path / "src" / "report.json").write_text("{}")
    assert identify_subject(matrix.subject, matrix.search_path) == seen[0]
    for name in ("service/scale.json", "other.py", "service/norm.py"):
        (tmp_path / "src" / name).write_text("changed")
        seen.append(identify_subject(matrix.subject, matrix.search_path))
    assert len(set(seen)) == 4
