import math


class Quaternion:
    def __init__(self, w, x, y, z):
        self.parts = (w, x, y, z)

    def norm(self):
        return math.sqrt(sum(part * part for part in self.parts))

    def unit(self):
        length = self.norm() or 1.0
        return Quaternion(*(part / length for part in self.parts))
