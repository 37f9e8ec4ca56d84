from fastapi import FastAPI
from transformers import AutoTokenizer

app = FastAPI()
tokenizer = AutoTokenizer.from_pretrained("all-MiniLM-L6-v2")


@app.post("/count")
def count(text: str, max_tokens: int = 256):
    tokens = tokenizer(text, truncation=True, max_length=max_tokens)  # fault: shared-tokenizer-limits
    return {"count": len(tokens["input_ids"])}
