from sentence_transformers import SentenceTransformer


def load(folder):
    return SentenceTransformer(folder, backend="openvino")  # fault: compile-without-precision-hint
