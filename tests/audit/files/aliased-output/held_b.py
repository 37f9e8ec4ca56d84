def embed(compiled, tokens):
    """The vectors of a batch, without a copy."""
    outputs = compiled(tokens, share_outputs=True)
    vectors = outputs[compiled.output("sentence_embedding")]
    return vectors  # fault: aliased-output
