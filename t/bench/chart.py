"""The ratios of a run as an SVG bar chart."""

from xml.sax.saxutils import escape

WIDTH, ROW, LEFT, BAR = 720, 34, 250, 400


def draw(rows, title):
    """Return SVG text for rows of (name, ratio, demanded or None)."""
    height = 60 + ROW * len(rows)
    top = max(1.0, *(ratio for _, ratio, _ in rows))
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
           f'height="{height}" viewBox="0 0 {WIDTH} {height}" '
           'font-family="sans-serif" font-size="13">',
           f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
           f'<text x="16" y="26" font-size="15" font-weight="bold">'
           f'{escape(title)}</text>']
    for number, (name, ratio, demanded) in enumerate(rows):
        y = 44 + ROW * number
        out.append(f'<text x="{LEFT - 10}" y="{y + 16}" '
                   f'text-anchor="end">{escape(name)}</text>')
        out.append(f'<rect x="{LEFT}" y="{y}" width="{BAR}" height="22" '
                   'fill="#eceff1"/>')
        good = demanded is None or ratio >= demanded
        out.append(f'<rect x="{LEFT}" y="{y}" '
                   f'width="{BAR * ratio / top:.1f}" height="22" '
                   f'fill="{"#2e7d32" if good else "#c62828"}"/>')
        if demanded is not None:
            x = LEFT + BAR * demanded / top
            out.append(f'<line x1="{x:.1f}" y1="{y - 3}" x2="{x:.1f}" '
                       f'y2="{y + 25}" stroke="#212121" '
                       'stroke-width="2"/>')
        out.append(f'<text x="{LEFT + BAR + 10}" y="{y + 16}">'
                   f'{ratio:.2f}</text>')
    return '\n'.join(out + ['</svg>', ''])
