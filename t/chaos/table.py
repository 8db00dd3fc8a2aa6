#!/usr/bin/python3
"""The table of the storms, of what their stories left in objs/chaos.

    t/chaos/table.py [--json]

Times are seconds from the end of a fault to the first and to the twentieth
login whose token nobody had seen, of the last fault of a storm.
"""

import glob
import json
import os
import sys

from storms import FIGURES

COLUMNS = ('faults', 'logins', 'right', 'refused', 'outage', 'wrong',
           'unanswered', 'cut', 'first', 'twentieth')


def figures():
    """Return the records of all storms that were told."""
    out = []
    for path in sorted(glob.glob(os.path.join(FIGURES, '*.json'))):
        with open(path, encoding='utf-8') as file:
            out.append(json.load(file))
    return out


def cell(value):
    """Return a figure as a table shows it."""
    if value is None:
        return '-'
    return f'{value:.2f}' if isinstance(value, float) else f'{value:,}'


def main():
    """Print it."""
    found = figures()
    if '--json' in sys.argv[1:]:
        print(json.dumps(found, indent=1))
        return 0
    print('| storm | ' + ' | '.join(COLUMNS) + ' |')
    print('| --- |' + ' ---: |' * len(COLUMNS))
    for record in found:
        print(f'| {record["storm"]} | ' + ' | '.join(
            cell(record[name]) for name in COLUMNS) + ' |')
    return 0 if found else 1


if __name__ == '__main__':
    sys.exit(main())
