# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Normal forms for comparing names of vendors, merchants, places and states, and invoice numbers."""

import unicodedata


def name_key(text):
    """Return the normal form of a name: Unicode NFKC, without case, invisible characters and extra spaces; '' for none.

    Two systems may write one name differently: "é" is one character or two, and characters have full or half width.
    """
    if not text:
        return ''
    if not text.isascii():
        # NFKC comes first, and again after folding, as folding may yield a character that NFKC changes.
        text = unicodedata.normalize('NFKC', unicodedata.normalize('NFKC', text).casefold())
        text = ''.join(char for char in text if unicodedata.category(char) != 'Cf')
    return ' '.join(text.casefold().split())


def number_key(text):
    """Return the normal form of an invoice number: as for names, and without spaces; '' for none."""
    return name_key(text).replace(' ', '')
