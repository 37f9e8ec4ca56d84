"""From a matrix to what a sweep needs: suite, model and data in their places, and what they are known by."""

from __future__ import annotations

import asyncio
from pathlib import Path

from harness.files import hash_file, hash_tree
from harness.plan.pip_settings import IndexSettings
from harness.plan.schema import Matrix
from harness.plan.tolerances import allowed_values, tolerances_of
from harness.records import digest_value
from harness.run.environments import EnvironmentStore
from harness.run.installer import Installer
from harness.run.material import Material
from harness.run.models import Say, obtain_model
from harness.run.store import Store
from harness.run.suite import snapshot_suite


def make_installer(settings: IndexSettings, *, downloads: bool = False) -> Installer:
    """Hand uv the index settings of this machine; ``downloads``: it may download a Python."""
    variables = tuple(settings.environment().items())
    return Installer(index=settings.install_arguments(), variables=variables, downloads=downloads)


def make_environments(store: Store, installer: Installer) -> EnvironmentStore:
    """The environments of a store; its ``use`` is what a sweep asks for."""
    return EnvironmentStore(store, installer)


def identify_subject(matrix: Matrix) -> str:
    """Sha256 of the subject: Python files on its search path, and every file of the packages that it names.

    A search path can hold more than the subject (reports, environments), so of the rest only code counts.
    """
    named = {
        path.split(":")[0].split(".")[0] for path in (matrix.subject.embedder, matrix.subject.normalizer)
    }
    packages = [folder / name for folder in matrix.search_path for name in sorted(named)]
    code = hash_tree(*matrix.search_path, suffix=".py")
    return code + hash_tree(*(package for package in packages if package.is_dir()))


async def prepare_material(  # noqa: PLR0913 - one parameter an ingredient
    matrix: Matrix,
    store: Store,
    installer: Installer,
    say: Say,
    *,
    golden: Path | None,
    only: tuple[str, ...] = (),
) -> Material:
    """What every cell of a matrix is given; ``golden`` is the file of golden embeddings, if there is one.

    ``only`` are globs over case ids.

    Raises:
        UsageError: a local model is not what the matrix says, or the store is another folder.
        StoreError: the model cannot be fetched, or the store not be written to.
    """
    store.claim()
    suite = await asyncio.to_thread(snapshot_suite, store)
    model = await obtain_model(matrix.model, matrix.model_path, store, installer, say)
    tolerances = allowed_values(tolerances_of(matrix))
    corpus = matrix.corpus_path
    identity = {
        "suite": suite.digest,
        "model": model.digest,
        "subject": identify_subject(matrix),
        "corpus": "" if corpus is None else hash_file(corpus),
        "golden": "" if golden is None else hash_tree(golden),
        "tolerances": digest_value(tolerances),
    }
    return Material(
        suite=suite,
        identity=identity,
        model_dir=model.folder,
        embedder=matrix.subject.embedder,
        normalizer=matrix.subject.normalizer,
        search_path=matrix.search_path,
        corpus=corpus,
        golden=golden,
        tolerances=tolerances,
        profile=matrix.profile,
        threads=matrix.threads,
        only=only,
    )
