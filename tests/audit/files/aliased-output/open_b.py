class Service:
    def __init__(self, compiled):
        self.compiled = compiled
        self.last = None

    def run(self, tokens):
        result = self.compiled(tokens, share_outputs=True)
        self.last = result[0]  # fault: aliased-output
