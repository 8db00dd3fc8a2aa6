#!/usr/bin/python3
"""Write anew what conf-examples has twice, from where it is told once."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), 'lib'))
sys.dont_write_bytecode = True

import manifests  # noqa: E402

for path, text in manifests.copies().items():
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
