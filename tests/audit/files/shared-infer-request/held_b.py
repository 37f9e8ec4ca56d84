import threading


class Worker:
    def __init__(self, compiled, queue):
        self.queue = queue
        self.infer_request = compiled.create_infer_request()
        self.results = []
        self.threads = [threading.Thread(target=self._work, daemon=True) for _ in range(3)]
        for thread in self.threads:
            thread.start()

    def _work(self):
        while True:
            key, tokens = self.queue.get()
            found = self.infer_request.infer(tokens)  # fault: shared-infer-request
            self.results.append((key, found[0].copy()))
