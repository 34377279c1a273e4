"""/accounting/entities: the subsidiaries of the client's books. The API uploads them; it neither lists nor changes them.

People in Ramp map an entity of the business to one of them (`connect_entity`).
"""

from .. import coding, uploads
from ..routes import route

ENTITIES = uploads.Kind(
    table='subsidiaries',
    what='Entities',
    needs=('id', 'name'),
    may=('country', 'currency', 'federal_id_number'),
    changes=(),
    items='entities',
    told=('accounting_connection_id',),
)


@route('POST', '/accounting/entities', scope='accounting:write')
def upload_entities(call):
    return uploads.upload_coding_rows(call, ENTITIES, coding.add_subsidiary)


def connect_entity(store, ident, /, remote_id):
    """Map an entity of the business to a subsidiary of the books, and return its row. None: to none of them."""
    row = remote_id and next(iter(store['subsidiaries'].list_named_rows(remote_id)), None)
    if remote_id and not row:
        raise ValueError(f'No subsidiary {remote_id} was uploaded')
    told = row and {'external_id': row['id'], 'id': row['ramp_id'], 'name': row['name']}
    return store['entities'].update_row(ident, connected_subsidiary=told)
