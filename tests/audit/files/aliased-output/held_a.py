import numpy as np


class Runner:
    def __init__(self, compiled):
        self.request = compiled.create_infer_request()

    def all_states(self, batches):
        kept = []
        for batch in batches:
            self.request.infer(batch)
            kept.append(self.request.get_output_tensor(0).data)  # fault: aliased-output
        return np.concatenate(kept)
