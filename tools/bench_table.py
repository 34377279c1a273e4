"""The tables that the benchmark prints."""


def print_figure_table(head, rows):
    """Print rows of texts under their head. The first column is aligned left, the others right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, *rows]:
        print(
            '  '
            + '  '.join(
                text.ljust(width) if not column else text.rjust(width)
                for column, (text, width) in enumerate(zip(row, widths))
            )
        )
