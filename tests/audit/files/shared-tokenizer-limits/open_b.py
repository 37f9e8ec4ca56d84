from concurrent.futures import ThreadPoolExecutor


class Tokens:
    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.pool = ThreadPoolExecutor()

    def encode(self, texts, limit):
        return self.tokenizer(texts, truncation=True, max_length=limit)  # fault: shared-tokenizer-limits
