# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import uuid

from ...models.ledger_json import storable_json

MAX_ID = 100  # characters of what is said to be an id


def is_uuid(text):
    try:
        return isinstance(text, str) and len(text) == 36 and bool(uuid.UUID(text))
    except ValueError:
        return False


def identity_only(payload):
    """What is kept of an object that is too odd to be kept: which one it is."""
    identity = payload.get('id') if isinstance(payload, dict) else None
    return {'id': storable_json(identity)[:MAX_ID]} if isinstance(identity, str) else {}


def jsonable(value):
    """Value objects' dictionaries hold dates and tuples; their text is enough to notice a change."""
    if isinstance(value, dict):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)
