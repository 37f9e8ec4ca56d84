"""Twenty independent services: what each deserves, and what the harness says of it."""
