import threading

LIMIT = 256


class Service:
    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.local = threading.local()

    def tokens(self, texts):
        return self.tokenizer(texts, truncation=True, max_length=LIMIT, return_tensors="np")

    def ask(self, client, prompt, limit):
        return client.complete(prompt, max_length=limit)
