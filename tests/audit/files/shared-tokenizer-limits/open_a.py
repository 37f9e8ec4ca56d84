import threading


class Search:
    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.local = threading.local()

    def tokens(self, texts, short):
        self.tokenizer.enable_truncation(64 if short else 256)  # fault: shared-tokenizer-limits
        return self.tokenizer.encode_batch(texts)
