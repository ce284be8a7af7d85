"""What Rihla is made of: `make sbom` and `make audit`."""
