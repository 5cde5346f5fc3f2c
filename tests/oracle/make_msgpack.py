"""Records as Python's msgpack and msgpack-numpy write them: tests/oracle/msgpack_numpy.bin, which tests/unit/test_mp.c must write and read.

    python3 tests/oracle/make_msgpack.py      made with msgpack 1.x, msgpack-numpy 0.4.8
"""
import math
import os

import msgpack
import msgpack_numpy
import numpy as np

INTS = [0, 1, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1, 2**64 - 1,
        -1, -32, -33, -128, -129, -32768, -32769, -2**31, -2**31 - 1, -2**63]
TYPES = ["|u1", "<u2", "<u4", "<u8", "<i4", "<i8", "<f2", "<f4", "<f8"]

records = [
    {"r": "ints", "v": INTS},
    {"r": "reals", "v": [0.0, -0.0, 1.5, 1e300, math.inf, -math.inf]},
    {"r": "others", "v": [None, True, False]},
    {"r": "strs", "v": ["x" * n for n in (0, 31, 32, 255, 256, 65536)]},
    {"r": "bins", "v": [b"x" * n for n in (0, 255, 256, 65536)]},
    {"r": "arrays", "v": [[None] * n for n in (0, 15, 16, 65536)]},
    {"r": "maps", "v": [{"%05d" % i: i for i in range(n)} for n in (0, 15, 16)]},
    *[{"r": "tensor", "x": np.arange(6).reshape(2, 3).astype(t)} for t in TYPES],
    {"r": "tensor", "x": np.zeros((0, 3), dtype="<f4")},
    {"r": "tensor", "x": np.arange(300).reshape(1, 2, 3, 50).astype("<u4")},
]
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "msgpack_numpy.bin"), "wb") as f:
    for r in records:
        f.write(msgpack.packb(r, default=msgpack_numpy.encode))
