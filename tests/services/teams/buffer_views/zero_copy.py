"""No copies: the vectors stay where the runtime has put them, and are scaled in place."""

import threading

import numpy as np
import openvino as ov
import torch
from transformers import AutoModel, AutoTokenizer


class Mean(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, input_ids, attention_mask):
        mask = attention_mask[:, :, None].float()
        return (self.net(input_ids, attention_mask)[0] * mask).sum(1) / mask.sum(1)


class ZeroCopy:
    def __init__(self, folder):
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        net = AutoModel.from_pretrained(folder, local_files_only=True).eval()
        ids = torch.tensor([[101, 2028, 102], [101, 2048, 102]])
        model = ov.convert_model(Mean(net), example_input=(ids, torch.ones_like(ids)))
        config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
        self.compiled = ov.compile_model(model, "CPU", config)
        self.local = threading.local()

    def __call__(self, texts):
        if not texts:
            return np.empty((0, 384), np.float32)
        if not hasattr(self.local, "request"):
            self.local.request = self.compiled.create_infer_request()
        tokens = self.tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="np")
        self.local.request.infer([tokens["input_ids"], tokens["attention_mask"]])
        return self.local.request.get_output_tensor(0).data


def normalize_(rows):
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    norms[norms == 0] = 1
    rows /= norms
    return rows
