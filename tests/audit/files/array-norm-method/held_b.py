import openvino as ov
from transformers import AutoTokenizer


class Encoder:
    def __init__(self, folder):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.compiled = ov.Core().compile_model(
            f"{folder}/model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
        )

    def __call__(self, texts):
        tokens = self.tokenizer(texts, padding=True, return_tensors="np")
        vectors = self.compiled(dict(tokens))["sentence_embedding"]
        lengths = vectors.norm(axis=1, keepdims=True)  # fault: array-norm-method
        lengths[lengths == 0] = 1
        return vectors / lengths
