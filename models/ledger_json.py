# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""JSON values of the ledger: one text for equal ones, their hash, their leaves, and what PostgreSQL takes."""

import hashlib
import json
import math
import re
from decimal import Decimal

UNSTORABLE = re.compile('[\x00\ud800-\udfff]')


def canonical_json(payload):
    """The one text of a JSON value, so that equal payloads have equal hashes."""
    return json.dumps(payload, sort_keys=True, separators=(',', ':'), ensure_ascii=False)


def json_digest(payload):
    """Hash (64 hexadecimal characters) of a JSON value."""
    return hashlib.sha256(canonical_json(payload).encode('utf-8', 'surrogatepass')).hexdigest()


def json_leaves(payload, path=''):
    """The leaves of a JSON value by their path, an amount of money and what was picked as one: {'line_items.1.amount':
    '5 USD'}.
    """
    if isinstance(payload, dict) and set(payload) == {'amount', 'currency_code', 'minor_unit_conversion_rate'}:
        amount, rate = payload['amount'], payload['minor_unit_conversion_rate']
        if isinstance(amount, int) and rate in (1, 10, 100, 1000, 10000):
            return {path.lstrip('.'): f'{Decimal(amount) / rate} {payload["currency_code"]}'}
    if isinstance(payload, dict) and isinstance(payload.get('category_info'), dict) and payload.get('name'):
        code, name, identity = (payload.get(key) for key in ('external_code', 'name', 'external_id'))
        words = (
            f'{payload["category_info"].get("name") or ""}:',
            code if code != name else None,
            name,
            f'[{identity}]',
        )
        return {path.lstrip('.'): ' '.join(str(word) for word in words if word and word not in (':', '[None]'))}
    if isinstance(payload, dict) and payload:
        return {
            key: leaf for name, part in payload.items() for key, leaf in json_leaves(part, f'{path}.{name}').items()
        }
    if isinstance(payload, list) and payload:
        return {
            key: leaf
            for number, part in enumerate(payload, 1)
            for key, leaf in json_leaves(part, f'{path}.{number}').items()
        }
    return {path.lstrip('.'): payload}


def storable_json(value):
    """A JSON value that PostgreSQL takes: it has no NUL, no half of a surrogate pair, and no number that is none."""
    if isinstance(value, str):
        return UNSTORABLE.sub('\ufffd', value)
    if isinstance(value, dict):
        return {storable_json(key): storable_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [storable_json(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
