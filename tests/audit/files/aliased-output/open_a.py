def embed(request, tokens):
    request.infer(tokens)
    return request.get_output_tensor(0).data  # fault: aliased-output
