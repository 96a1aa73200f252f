"""The doctor's checks: one function each, which returns a Finding or None and changes nothing.

They look at `sys.modules` and import none of what they look for. G08, G10, G11 and G12 cannot be found before
they happen: the code in which they happen records them, see `green.findings.note`.
"""
