import openvino as ov


def save(model, path):
    ov.save_model(model, path)  # fault: compressed-weights-saved
