"""What earlier runs measured, kept in a database beside them."""
