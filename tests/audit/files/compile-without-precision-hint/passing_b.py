import openvino as ov
from sentence_transformers import SentenceTransformer


def whole_core(path):
    core = ov.Core()
    core.set_property("CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return core.compile_model(path, "CPU")


def with_backend(folder):
    return SentenceTransformer(
        folder, backend="openvino", model_kwargs={"ov_config": {"INFERENCE_PRECISION_HINT": "f32"}}
    )


def keras(model):
    model.compile(optimizer="adam")
    return SentenceTransformer("all-MiniLM-L6-v2", backend="torch")
