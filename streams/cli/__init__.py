"""The commands of `rihla`, a module each."""
