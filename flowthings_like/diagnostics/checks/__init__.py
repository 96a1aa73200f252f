"""The doctor's checks: one function each, which returns a Finding or None and changes nothing.

They look at `sys.modules` and import none of what they look for. G08, G10, G11 and G12 cannot be seen before
they happen: the code that runs into them notes them with `green.findings.note`.
"""
