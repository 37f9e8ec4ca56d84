import torch.nn.functional as F


def embed(hidden, size):
    unit = F.normalize(hidden, dim=1)
    return unit[:, :size]  # fault: truncation-after-normalization
