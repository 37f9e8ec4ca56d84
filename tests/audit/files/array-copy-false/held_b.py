from numpy import array, float32


class Row:
    def __init__(self, values):
        self.values = array(values, float32, copy=False)  # fault: array-copy-false
