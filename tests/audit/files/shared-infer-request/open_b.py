import openvino as ov
from fastapi import FastAPI

app = FastAPI()
request = ov.compile_model("m.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()


@app.post("/embed")
def embed(ids: list[int]):
    return request.infer([ids])[0].tolist()  # fault: shared-infer-request
