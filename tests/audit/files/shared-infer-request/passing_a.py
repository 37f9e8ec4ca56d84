import threading
from concurrent.futures import ThreadPoolExecutor


class Own:
    """A request of its own for every call."""

    def __init__(self, compiled):
        self.compiled = compiled
        self.pool = ThreadPoolExecutor(4)

    def one(self, tokens):
        request = self.compiled.create_infer_request()
        return request.infer(tokens)[0]


class Locked:
    def __init__(self, compiled):
        self.request = compiled.create_infer_request()
        self.lock = threading.Lock()

    def one(self, tokens):
        with self.lock:
            return self.request.infer(tokens)[0]
