"""Makes environments, runs cell processes and measures latency across them."""
