"""The pipelines that run a gate in CI: what they are made of, and their templates."""
