"""ENV: the process against its spec. By hand: ``--only 'env.*'``."""

from __future__ import annotations

import importlib
import os
import re
import sys
from pathlib import Path
from typing import Any, List

import pytest

from harness.cell import facts
from harness.cell.channel import Channel
from harness.cell.comparison import compare
from harness.cell.interface import CellSpec
from harness.cell.record import Record

LOW = ("bf16", "f16")
SECRET = re.compile(r"(^|_)(TOKENS?|SECRETS?|PASSWORD|PASSWD|CREDENTIALS?|API_?KEY)(_|$)", re.IGNORECASE)
PROXY = re.compile(r"^(https?|ftp|all)_proxy$", re.IGNORECASE)


@pytest.mark.check("env.versions")
def test_versions(spec: CellSpec, record: Record) -> None:
    """Compare the versions in metadata and modules with the lock."""
    differences = facts.version_differences(spec.locked)
    record(
        value=len(differences),
        unit="versions differ from the lock",
        bound="equal",
        allowed=0,
        sample="; ".join(differences),
        facts={"locked": len(spec.locked)},
    )


@pytest.mark.check("env.threads")
def test_threads(spec: CellSpec, record: Record) -> None:
    """Compare thread counts with the spec; the number of CPUs limits BLAS pools, so fewer are valid."""
    found = facts.torch_facts()
    wrong = (
        [] if found["torch.threads"] == str(spec.threads) else [f"torch has {found['torch.threads']} threads"]
    )
    pools = facts.thread_pools()
    wrong += [
        f"{pool['internal_api']} ({Path(pool['filepath']).name}) has {pool['num_threads']}"
        for pool in pools
        if pool["num_threads"] > spec.threads
    ]
    record(
        value=len(wrong),
        unit=f"thread pools of another size than {spec.threads}",
        bound="equal",
        allowed=0,
        sample="; ".join(wrong),
        facts={"torch": found["torch.threads"], "pools": len(pools), "asked": spec.threads},
    )


@pytest.mark.check("env.offline")
def test_offline(spec: CellSpec, record: Record) -> None:
    """Check for variables with secrets or proxies besides those of the matrix; only their names are shown."""
    huggingface_hub = sys.modules["huggingface_hub"]
    names = sorted(set(os.environ) - set(spec.variables))
    wrong = [f"{name} is set" for name in names if SECRET.search(name) or PROXY.match(name)]
    if not huggingface_hub.constants.HF_HUB_OFFLINE:
        wrong.append("the Hub is not offline")
    get_token = getattr(huggingface_hub, "get_token", None)
    if get_token is not None and get_token():
        wrong.append("a token of the Hub is available")
    record(
        value=len(wrong),
        unit="unsafe settings",
        bound="equal",
        allowed=0,
        sample="; ".join(wrong),
    )


@pytest.mark.check("env.telemetry")
def test_telemetry(record: Record) -> None:
    """Check the consent as openvino does before it sends."""
    wrong: List[str] = []
    if os.environ.get("HF_HUB_DISABLE_TELEMETRY") != "1":
        wrong.append("huggingface-hub may send")
    try:
        telemetry = importlib.import_module("openvino_telemetry.utils.opt_in_checker")
    except ImportError:
        declined = "openvino-telemetry is not installed"
    else:
        consent = telemetry.OptInChecker().check(enable_opt_in_dialog=False, disable_in_ci=True)
        declined = consent.name
        if consent != telemetry.ConsentCheckResult.DECLINED:
            wrong.append(f"openvino may send ({consent.name})")
    record(
        value=len(wrong),
        unit="packages with telemetry",
        bound="equal",
        allowed=0,
        sample="; ".join(wrong),
        facts={"openvino": declined},
    )


@pytest.mark.check("env.precision")
def test_precision(subject: Any, channel: Channel, record: Record) -> None:
    """Read the precision from the compiled model, not from its configuration."""
    compiled = facts.find_compiled(subject)
    if compiled is None:
        pytest.skip("the embedder holds no openvino.CompiledModel that could be asked")
    observed = facts.compiled_facts(compiled)
    channel.send("facts", facts=observed)
    low = {layer: count for layer, count in facts.layer_precisions(compiled).items() if layer in LOW}
    if observed["openvino.precision"] in LOW:
        low["hint"] = 1
    record(
        value=sum(low.values()),
        unit="layers below f32",
        bound="equal",
        allowed=0,
        sample=", ".join(f"{count} in {layer}" for layer, count in sorted(low.items())),
        facts=dict(observed),
    )


@pytest.mark.check("env.reference-dtype")
def test_reference_dtype(  # fixtures are arguments
    loaded_reference: Any, reference_model: Any, corpus: List[Any], channel: Channel, record: Record
) -> None:
    """Read the dtype from the model that the release loads, and measure what it does to the embeddings."""
    from harness.cell import reference
    from harness.cell.controls import choose_sentences

    dtype = reference.dtype_of(loaded_reference)
    channel.send("facts", facts={"reference.dtype": dtype})
    sample, apart = "", 0.0
    if dtype != "float32":
        texts = [sentence.text for sentence in choose_sentences(corpus)]
        sample = f"the reference computes in {dtype} (transformers {facts.metadata_version('transformers')})"
        try:
            rows = reference.encode(loaded_reference, texts, normalize=True)
        except TypeError as error:  # releases before 3.2 return bfloat16 as NumPy arrays, which do not exist
            sample += f", and encode raises TypeError: {error}"
        else:
            apart = compare(rows, reference.encode(reference_model, texts, normalize=True)).worst
            sample += f": {apart:.2g} from its embeddings in float32"
    record(
        value=float(dtype == "float32"),
        unit="computes in float32",
        bound="equal",
        allowed=1,
        sample=sample,
        facts={"dtype": dtype, "largest difference": apart},
    )
