"""Image sets from outside: rocks, landforms, ShadowCam, shadowed ground; read exactly or refused with the file's name.

The rooms that learn from them get stacks of one size with names, scenes and classes; they never see these files.
"""
