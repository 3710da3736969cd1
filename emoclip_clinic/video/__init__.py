"""Video files: what is in them, their frames, and the faces in those.

Import the modules, each needs its own library: `container` and `probe` (PyAV), `examine` (OpenCV),
`reader` (PyAV, decord), `faces` (OpenCV).
"""

__all__: list[str] = []
