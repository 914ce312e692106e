"""Chapbook: raw text in, a small language model you own out.

The package holds the nouns, one file each: what passes from one stage to the next. The verbs are the
scripts in the numbered stage folders beside it.
"""

__version__ = "0.1.0"
