import openvino as ov
import openvino.properties.hint as hints

core = ov.Core()
settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
first = core.compile_model("model.xml", "CPU", settings)
second = core.compile_model("model.xml", "CPU", {hints.inference_precision: ov.Type.f32})
third = ov.compile_model("model.xml", "CPU", config={"INFERENCE_PRECISION_HINT": "f32"})


def given(model, config):
    return ov.compile_model(model, "CPU", config)
