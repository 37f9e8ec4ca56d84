"""What runs inside the interpreter of a cell; imports nothing of the controller."""
