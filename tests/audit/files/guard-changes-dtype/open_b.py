import numpy as np


def unit(v):
    norm = np.linalg.norm(v)
    norm = np.where(norm == 0, 1, norm)  # fault: guard-changes-dtype
    return v / norm
