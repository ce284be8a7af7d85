"""Checks of everything that Rihla needs, a module for each thing looked at. Each says what is wrong and what mends it.

They only look: no topic is made, no schema registered, no table touched, no file written.
"""

from streams.doctor.examination import checks, unusable
from streams.doctor.finding import Finding, Verdict
from streams.doctor.installation import compilation

__all__ = ["Finding", "Verdict", "checks", "compilation", "unusable"]
