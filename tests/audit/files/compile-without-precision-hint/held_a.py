from pathlib import Path

from openvino.runtime import Core


def load(folder: Path):
    core = Core()
    model = core.read_model(folder / "openvino_model.xml")
    return core.compile_model(model=model, device_name="CPU")  # fault: compile-without-precision-hint
