# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The business that a token belongs to, its entities and its accounting connection, as value objects.

The rules are those of `reading`. Schemas: Business, ApiEntityResource, AccountingProvider (2026-08-01).
"""

import contextlib
import dataclasses

from .reading import PayloadError, PayloadReader

PROVIDER_STATUSES = frozenset({'failed_to_auth', 'linked', 'revoked', 'unlinked'})
CONNECTION_TYPES = frozenset({'API', 'CSV', 'DIRECT'})


@dataclasses.dataclass(frozen=True)
class BankAccount:
    """A bank account that an entity pays from. last_four: str | None, the last digits of its number."""

    id: str
    name: str | None
    last_four: str | None


@dataclasses.dataclass(frozen=True)
class Entity:
    """A legal entity of the business.

    currency: str | None, code; subsidiary_external_id: str | None, our own id of the subsidiary the entity is mapped
    to in Ramp; payment_accounts: tuple of BankAccount, those that can be read.
    """

    id: str
    name: str | None
    currency: str | None
    is_primary: bool
    subsidiary_external_id: str | None
    payment_accounts: tuple[BankAccount, ...]


@dataclasses.dataclass(frozen=True)
class AccountingProvider:
    """The accounting connection of the business.

    remote_provider_name: str | None, as whoever connected registered it; status: lower case (the schema's case;
    examples have the upper one), None where Ramp leaves it out, as it deprecates it; connection_type: one of
    CONNECTION_TYPES; settings: {name: bool}, empty where Ramp tells none (it has none of connections that are not of
    the API).
    """

    id: str
    remote_provider_name: str | None
    is_active: bool
    status: str | None
    connection_type: str
    settings: dict


@dataclasses.dataclass(frozen=True)
class Business:
    """The business that a token belongs to. name: for display only; the id identifies a business."""

    id: str
    name: str


def read_entity(payload):
    """Read an entity from an object of GET /entities.

    :param payload: dict
    :return: Entity
    :raise PayloadError: not because of its bank accounts
    """
    reader = PayloadReader(payload)
    return Entity(
        id=reader.read_uuid('id', required=True),
        name=reader.read_text('entity_name'),
        currency=reader.read_text('currency'),
        is_primary=reader.read_flag('is_primary'),
        subsidiary_external_id=reader.read_object('connected_subsidiary').read_text('external_id'),
        payment_accounts=tuple(_list_readable_bank_accounts(reader.read_items('payment_accounts'))),
    )


def _list_readable_bank_accounts(items):
    """Return the bank accounts that can be read. An unreadable one does not make the entity unreadable."""
    for value, path in items:
        with contextlib.suppress(PayloadError):
            account = PayloadReader(value, path)
            yield BankAccount(
                id=account.read_uuid('id', required=True),
                name=account.read_text('account_name'),
                last_four=account.read_text('account_number_last_four'),
            )


def read_accounting_provider(payload):
    """Read the accounting connection from GET /accounting/connection.

    :param payload: dict | None
    :return: AccountingProvider, or None of an empty answer: nothing is connected
    :raise PayloadError: if it is malformed
    """
    if payload is None or payload == {}:
        return None
    reader = PayloadReader(payload)
    return AccountingProvider(
        id=reader.read_uuid('id', required=True),
        remote_provider_name=reader.read_text('remote_provider_name'),
        is_active=reader.read_flag('is_active'),
        status=reader.read_choice('status', PROVIDER_STATUSES, normalise=str.lower),
        connection_type=reader.read_choice('connection_type', CONNECTION_TYPES, required=True, normalise=str.upper),
        settings={
            name: value for name, value in reader.read_object('settings').values.items() if isinstance(value, bool)
        },
    )


def read_business(payload):
    """Read the business from GET /business, whose id the schema does not promise (2026-08-01).

    :param payload: dict
    :return: Business
    :raise PayloadError: if it is malformed, or has no id
    """
    reader = PayloadReader(payload)
    ident = reader.read_uuid('id', required=True)
    return Business(
        id=ident, name=reader.read_text('business_name_legal') or reader.read_text('business_name_on_card') or ident
    )
