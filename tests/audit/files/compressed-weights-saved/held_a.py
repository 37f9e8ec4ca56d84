import openvino as ov
import torch


def export(net: torch.nn.Module, example: dict, target: str) -> None:
    converted = ov.convert_model(net, example_input=example)
    converted.reshape([-1, -1])
    ov.save_model(converted, output_model=target)  # fault: compressed-weights-saved
