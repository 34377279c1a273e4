# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""JSON values of the ledger: canonical text, hash, leaves, and values that PostgreSQL can store."""

import hashlib
import json
import math
import re
from decimal import Decimal

UNSTORABLE = re.compile('[\x00\ud800-\udfff]')


def canonical_json(payload):
    """Return a JSON value as canonical text, so that equal payloads have equal hashes."""
    return json.dumps(payload, sort_keys=True, separators=(',', ':'), ensure_ascii=False)


def json_digest(payload):
    """Return the SHA-256 hash of a JSON value as 64 hexadecimal characters."""
    return hashlib.sha256(canonical_json(payload).encode('utf-8', 'surrogatepass')).hexdigest()


def json_leaves(payload, path=''):
    """Return the leaves of a JSON value by their path, for example {'line_items.1.amount': '5 USD'}.

    An amount of money counts as one leaf, and so does a field selection.
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
    """Return a JSON value that PostgreSQL can store: without NUL, lone surrogates, infinity and NaN."""
    if isinstance(value, str):
        return UNSTORABLE.sub('\ufffd', value)
    if isinstance(value, dict):
        return {storable_json(key): storable_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [storable_json(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
