"""What the harness costs, measured by running it as people do; shown, never asserted.

Every figure that is compared is taken in the same run, A B A B, because machines are noisy: read the ratios.
"""
