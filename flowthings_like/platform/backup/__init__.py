"""Copies of a platform's folder that are taken while it is in use, and folders that are made of them.

manifest    what a copy holds: names, sizes, checksums
copying     copies files, and says what they are
snapshot    the files of a folder at one moment
partial     a folder or file that appears under its name when it is complete
backup      folder -> copy
restore     copy -> folder
"""
