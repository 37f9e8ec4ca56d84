"""The vector of a text is the state of its first token."""

import numpy as np
import openvino as ov
import torch
from transformers import AutoModel, AutoTokenizer


def build(path):
    tokenize = AutoTokenizer.from_pretrained(path, local_files_only=True)

    class First(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = AutoModel.from_pretrained(path, local_files_only=True)

        def forward(self, input_ids, token_type_ids, attention_mask):
            return self.net(input_ids, attention_mask, token_type_ids).last_hidden_state[:, 0]

    sample = tokenize(["sample", "a longer sample"], padding=True, return_tensors="pt")
    order = ("input_ids", "token_type_ids", "attention_mask")
    model = ov.convert_model(First().eval(), example_input=tuple(sample[name] for name in order))
    compiled = ov.Core().compile_model(
        model, "CPU", {ov.properties.hint.inference_precision(): ov.Type.f32, "INFERENCE_NUM_THREADS": 1}
    )

    def encode(texts):
        if not texts:
            return np.zeros((0, 384), dtype="float32")
        batch = tokenize(list(texts), padding="longest", truncation=True, max_length=256, return_tensors="np")
        answer = compiled.create_infer_request().infer([batch[name] for name in order])
        return answer[compiled.output(0)]

    return encode


def normalized(vectors):
    length = np.linalg.norm(vectors, axis=1)[:, np.newaxis]
    length[length == 0] = 1.0
    return vectors / length
