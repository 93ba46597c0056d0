"""This project's own plug-ins, one file each, written against nothing but the public contract.

Nothing imports them: like those of other packages, they are found and imported when a name asks
for them (docs/extending.md).
"""
