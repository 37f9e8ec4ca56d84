import numpy as np


def cosines(matrix, query):
    sizes = np.linalg.norm(matrix, axis=1)
    sizes[sizes == 0] = 1
    return matrix @ query / sizes


def transposed(matrix):
    sizes = np.linalg.norm(matrix, axis=1)
    sizes[sizes == 0] = 1
    return (matrix.T / sizes).T


def columns(matrix):
    sizes = np.linalg.norm(matrix, axis=0)
    sizes[sizes == 0] = 1
    return matrix / sizes
