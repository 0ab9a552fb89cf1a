"""Where memory lies: the one question about it that Python does not answer.

Loading ctypes takes 5 ms, so this is only loaded when it is asked.
"""

from __future__ import annotations

import ctypes


class _Buffer(ctypes.Structure):
    """Py_buffer of the C API: what is looked at comes first, and there is room for the rest."""

    _fields_ = (("start", ctypes.c_void_p), ("rest", ctypes.c_char * 256))

    start: int | None


_get = ctypes.pythonapi.PyObject_GetBuffer
_get.argtypes = (ctypes.py_object, ctypes.POINTER(_Buffer), ctypes.c_int)
_release = ctypes.pythonapi.PyBuffer_Release
_release.argtypes = (ctypes.POINTER(_Buffer),)
_release.restype = None


def address_of(view: memoryview) -> int:
    """Give the address of the first byte; it may change as soon as the view is released."""
    buffer = _Buffer()
    _get(view, ctypes.byref(buffer), 0)
    try:
        return buffer.start or 0
    finally:
        _release(ctypes.byref(buffer))
