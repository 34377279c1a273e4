# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""How names are compared, wherever they are: of vendors, merchants, places, states, and the numbers of invoices."""

import unicodedata


def name_key(text):
    """The one form of a name: Unicode's NFKC, without case, invisible characters and spacing; '' for none.

    Two systems write one name in different forms: "é" is one character or two, and of full or half width.
    """
    if not text:
        return ''
    if not text.isascii():
        # what looks the same first, as it may fold to something that has another form again
        text = unicodedata.normalize('NFKC', unicodedata.normalize('NFKC', text).casefold())
        text = ''.join(char for char in text if unicodedata.category(char) != 'Cf')
    return ' '.join(text.casefold().split())


def number_key(text):
    """The one form of the number of an invoice: as of a name, and without any blanks; '' for none."""
    return name_key(text).replace(' ', '')
