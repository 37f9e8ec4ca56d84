import threading

from tokenizers import Tokenizer


class Fixed:
    def __init__(self, path):
        self.tokenizer = Tokenizer.from_file(path)
        self.tokenizer.enable_truncation(256)
        self.lock = threading.Lock()

    def tokens(self, texts):
        return self.tokenizer.encode_batch(texts)


class Locked:
    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.lock = threading.Lock()

    def tokens(self, texts, limit):
        with self.lock:
            return self.tokenizer(texts, truncation=True, max_length=limit)
