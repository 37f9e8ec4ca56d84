"""What is kept between runs: environments, models, the suite, results."""
