from optimum.intel import OVModelForFeatureExtraction
from transformers import AutoTokenizer


class OptimumEmbedder:
    def __init__(self, name):
        self.tokenizer = AutoTokenizer.from_pretrained(name)
        self.model = OVModelForFeatureExtraction.from_pretrained(
            name, export=True
        )  # fault: compile-without-precision-hint
