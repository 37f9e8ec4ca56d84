import openvino

model = openvino.convert_model("model.onnx")
openvino.save_model(model, "model.xml")  # fault: compressed-weights-saved
