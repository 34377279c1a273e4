# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import uuid

from ...models.ledger_json import storable_json

MAX_ID = 100  # characters kept of an id that may not be one


def is_uuid(text):
    try:
        return isinstance(text, str) and len(text) == 36 and bool(uuid.UUID(text))
    except ValueError:
        return False


def identity_only(payload):
    """Return what is stored of a payload that cannot be stored as a whole: its id, if it has one."""
    identity = payload.get('id') if isinstance(payload, dict) else None
    return {'id': storable_json(identity)[:MAX_ID]} if isinstance(identity, str) else {}


def jsonable(value):
    """Return the value as JSON, with other types such as dates as text. That is enough to notice a change."""
    if isinstance(value, dict):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)
