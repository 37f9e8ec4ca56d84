import numpy


def view(x):
    return numpy.array(x, copy=False)  # fault: array-copy-false
