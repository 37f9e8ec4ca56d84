"""All code that runs inside a cell; it imports nothing of the controller."""
