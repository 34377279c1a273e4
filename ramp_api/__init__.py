# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Ramp's developer API in plain Python: it knows nothing of Odoo, and Odoo's side knows nothing of HTTP."""

from .auth import DEFAULT_SCOPES, MemoryTokenStore, TokenSource
from .client import Page, RampClient
from .dates import parse_utc, to_company_date
from .errors import (
    RampAuthError,
    RampConnectionError,
    RampError,
    RampFileError,
    RampIdempotencyReused,
    RampLinkExpired,
    RampNotFound,
    RampProtocolError,
    RampRateLimited,
    RampScopeError,
    RampServerError,
    RampValidationError,
    scrub,
)
from .files import Download
from .limiter import SlidingWindow
from .money import EXPONENTS, Money, MoneyError, allocate
from .payloads import (
    AccountingProvider,
    Entity,
    PayloadError,
    Receipt,
    Selection,
    Transaction,
    TransactionLine,
    User,
    read_accounting_provider,
    read_entity,
    read_receipt,
    read_transaction,
    read_user,
)

__all__ = [
    'DEFAULT_SCOPES',
    'EXPONENTS',
    'AccountingProvider',
    'Download',
    'Entity',
    'MemoryTokenStore',
    'Money',
    'MoneyError',
    'Page',
    'PayloadError',
    'RampAuthError',
    'RampClient',
    'RampConnectionError',
    'RampError',
    'RampFileError',
    'RampIdempotencyReused',
    'RampLinkExpired',
    'RampNotFound',
    'RampProtocolError',
    'RampRateLimited',
    'RampScopeError',
    'RampServerError',
    'RampValidationError',
    'Receipt',
    'Selection',
    'SlidingWindow',
    'TokenSource',
    'Transaction',
    'TransactionLine',
    'User',
    'allocate',
    'parse_utc',
    'read_accounting_provider',
    'read_entity',
    'read_receipt',
    'read_transaction',
    'read_user',
    'scrub',
    'to_company_date',
]
