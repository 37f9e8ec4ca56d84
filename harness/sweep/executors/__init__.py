"""Where cells run, if not on this machine: on the workers of a dask.distributed cluster."""
