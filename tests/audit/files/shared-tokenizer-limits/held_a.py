from concurrent.futures import ThreadPoolExecutor

from tokenizers import Tokenizer


class Tokens:
    def __init__(self, path):
        self.pool = ThreadPoolExecutor(2)
        self.fast = Tokenizer.from_file(path)

    def _encode(self, texts, limit):
        self.fast.enable_truncation(max_length=limit)  # fault: shared-tokenizer-limits
        return self.fast.encode_batch(texts)

    def later(self, texts, limit):
        return self.pool.submit(self._encode, texts, limit)
