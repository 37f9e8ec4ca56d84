from pathlib import Path

from openvino import convert_model, save_model

if __name__ == "__main__":
    xml = Path("build") / "encoder.xml"
    save_model(convert_model("encoder.onnx"), xml)  # fault: compressed-weights-saved
