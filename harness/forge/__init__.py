"""What a forge is sent: the comment of a gate."""
