import openvino as ov

core = ov.Core()
compiled = core.compile_model("model.xml", "CPU")  # fault: compile-without-precision-hint
