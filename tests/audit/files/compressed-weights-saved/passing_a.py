import openvino as ov
from openvino import save_model


def exact(model, path):
    ov.save_model(model, path, compress_to_fp16=False)
    save_model(model, path, False)


def on_purpose(model, path):
    ov.save_model(model, path, compress_to_fp16=True)
