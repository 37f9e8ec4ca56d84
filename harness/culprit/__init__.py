"""Who is to blame: the smallest part of a lock diff that turns a candidate red, and its first bad release."""
