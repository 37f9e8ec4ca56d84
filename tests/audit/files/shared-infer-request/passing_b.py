class Single:
    """No threads anywhere."""

    def __init__(self, compiled):
        self.request = compiled.create_infer_request()

    def one(self, tokens):
        return self.request.infer(tokens)[0]
