"""The compatibility and regression test harness for OpenVINO embeddings normalized in NumPy."""
