"""The kinds of documents that the benchmark books, and their sides."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class DocumentKind:
    """A kind of document.

    sides: labels by name. targets: by side, the multiple of that side's rate that ours must reach.
    """

    objects: str
    script: str
    sides: dict
    targets: dict


TRANSACTIONS = DocumentKind(
    'transactions',
    'bench_transactions.py',
    {
        'ours': 'Ramp Connector, end to end',
        'bare': 'bare ORM',
        'quiet': 'bare ORM, tracking off',
        'core': "Odoo's company-paid path",
    },
    {'bare': 0.8, 'core': 2.0},
)
BILLS = DocumentKind(
    'bills',
    'bench_bills.py',
    {
        'ours': 'Ramp Connector, end to end',
        'bare': 'bare ORM, bills and payments in batches',
        'wizard': 'Odoo: bills in batches, Register Payment',
        'one': 'Odoo: bill by bill, Register Payment',
    },
    {'wizard': 4.0},
)
WITHOUT = dataclasses.replace(
    TRANSACTIONS,
    sides={'ours': 'Ramp Connector, as shipped', 'still': 'Ramp Connector, its own ANALYZE off', 'bare': 'bare ORM'},
    targets={},
)
