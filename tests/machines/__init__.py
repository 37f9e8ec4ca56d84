"""Whether a sweep on several machines says what one machine says, and takes as long as predicted."""
