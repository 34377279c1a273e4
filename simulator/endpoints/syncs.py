"""POST /accounting/syncs: the client reports what is in its books, and Ramp locks it."""

from ..errors import make_input_error
from ..routes import route
from . import accounting_connection

# sync_type -> SyncTarget. The module of each kind of object adds its own.
TARGETS = {}


class SyncTarget:
    """Read and set the sync state of the objects of one sync_type. `table` None: the simulator lacks this kind."""

    def __init__(self, table, field='sync_status', ready='SYNC_READY', done='SYNCED'):
        self.table, self.field, self.ready, self.done = table, field, ready, done

    def read_sync_state(self, row):
        """Return "ready", "done" or another text."""
        return {self.ready: 'ready', self.done: 'done'}.get(row[self.field], row[self.field])

    def mark_object_synced(self, state, row):
        state[self.table].update_row(
            row['id'], **{self.field: self.done}, synced_at=state.read_time(), updated_at=state.read_time()
        )

    def accept_sync_outcome(self, state, row, item):
        """Mark an object as synced. `item` is what the client reported about it."""
        self.mark_object_synced(state, row)


class QuietTarget(SyncTarget):
    """A target whose objects have neither a sync time nor a change time."""

    def mark_object_synced(self, state, row):
        state[self.table].update_row(row['id'], **{self.field: self.done}, _synced_at=state.read_time())


@route('POST', '/accounting/syncs', scope='accounting:write', idempotent=True)
def post_syncs(call):
    call.read_required_field('idempotency_key')
    accounting_connection.check_api_connection(call.ramp)
    good = call.body.get('successful_syncs')
    bad = call.body.get('failed_syncs')
    for name, items in (('successful_syncs', good), ('failed_syncs', bad)):
        # The contract says this too, but its file may be missing.
        if items is not None and not 1 <= len(items) <= 5000:
            raise make_input_error('Invalid input', {name: ['Length must be between 1 and 5000.']})
    if not good and not bad:
        raise make_input_error('Invalid input', {'successful_syncs': ['Nothing to sync.']})
    target = TARGETS.get(call.read_required_field('sync_type'))
    found = _find_reported_rows(call, target, good or [], bad or [])
    sync_id = call.state.make_new_id()
    for item, row in found:
        _record_sync_outcome(call, sync_id, target, item, row)
    return {'sync_id': sync_id}, 201


def _find_reported_rows(call, target, good, bad):
    """Return each item with its row. Raise for the whole request if one is wrong: nothing is half done."""
    found, refused = [], {}
    seen = set()
    for item in [*good, *bad]:
        ident = item['id']
        row = call.state[target.table].get_row(ident) if target else None
        status = target.read_sync_state(row) if row else None
        again = status == 'done' and call.ramp.resync == 'accept' and 'reference_id' in item
        if row is None:
            refused[ident] = ['Object does not exist.']
        elif ident in seen:
            refused[ident] = ['Object is named twice.']
        elif status != 'ready' and not again:
            refused[ident] = [f'Object is not ready to sync: {row[target.field]}.']
        seen.add(ident)
        found.append((item, row))
    if refused:
        raise make_input_error(f'Objects cannot be synced: {", ".join(refused)}', refused)
    return found


def _record_sync_outcome(call, sync_id, target, item, row):
    state, message = call.state, item.get('error', {}).get('message')
    state.journal.append(
        {
            'sync_id': sync_id,
            'sync_type': call.body['sync_type'],
            'idempotency_key': call.body['idempotency_key'],
            'id': item['id'],
            'ok': message is None,
            'reference_id': item.get('reference_id'),
            'error': message,
            'time': state.read_time(),
        }
    )
    if message is None:
        state.export_errors.pop(item['id'], None)
        target.accept_sync_outcome(state, row, item)
    else:
        state.export_errors.setdefault(item['id'], []).append(message)


SYNC_BUTTONS = {
    'transactions': 'transaction_sync_button_enabled',
    'reimbursements': 'reimbursement_sync_button_enabled',
}


def request_sync(ramp, ident):
    """Press the Sync button of Ramp's screens. Only some accounting connections have it.

    See `accounting_connection.SETTINGS`.
    """
    for table, setting in SYNC_BUTTONS.items():
        row = ramp.state[table].get_row(ident)
        if row is None:
            continue
        if not accounting_connection.is_setting_enabled(ramp.state, setting):
            raise LookupError(f'There is no button: {setting} is off')
        if row['sync_status'] != 'SYNC_READY':
            raise LookupError(f'It is not ready to sync: {row["sync_status"]}')
        return ramp.webhooks.emit_event(f'{table}.sync_requested', ident, {'sync_request_id': ramp.state.make_new_id()})
    raise LookupError(f'Neither a transaction nor a reimbursement: {ident}')
