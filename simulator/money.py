"""Currencies as Ramp counts them. The table is separate from the connector's, so that an error in one shows."""

_DIGITS = {
    **dict.fromkeys(
        (
            'BIF',
            'CLP',
            'DJF',
            'GNF',
            'ISK',
            'JPY',
            'KMF',
            'KRW',
            'PYG',
            'RWF',
            'UGX',
            'VND',
            'VUV',
            'XAF',
            'XOF',
            'XPF',
        ),
        0,
    ),
    **dict.fromkeys(('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND'), 3),
}


def minor_per_major(currency):
    """Return the minor units in one major unit: 100 for USD, 1 for JPY, 1000 for KWD."""
    return 10 ** _DIGITS.get(currency, 2)


def build_currency_amount(minor, currency):
    """Return the contract's `CurrencyAmount`."""
    return {'amount': minor, 'currency_code': currency, 'minor_unit_conversion_rate': minor_per_major(currency)}


def convert_to_major(minor, currency):
    """Return major units as a float, the type of `Transaction.amount` and a few other fields."""
    factor = minor_per_major(currency)
    return minor if factor == 1 else minor / factor


def split_minor_amount(total, weights):
    """Split `total` minor units by integer `weights`. The parts add up exactly."""
    whole = sum(weights)
    if not whole:
        return [total] + [0] * (len(weights) - 1)
    parts, given, seen = [], 0, 0
    for weight in weights:
        seen += weight
        upto = round(total * seen / whole)
        parts.append(upto - given)
        given = upto
    return parts
