"""What both bills and draft bills can be filtered by in their lists."""

from ...listing import filter_by_value, filter_from_time, filter_until_time

SHARED_FILTERS = {
    'entity_id': filter_by_value('entity_id'),
    'invoice_number': filter_by_value('invoice_number', str),
    'remote_id': filter_by_value('remote_id', str),
    'from_created_at': filter_from_time('created_at'),
    'to_created_at': filter_until_time('created_at'),
    'from_due_date': filter_from_time('due_at'),
    'to_due_date': filter_until_time('due_at'),
    'from_issued_date': filter_from_time('issued_at'),
    'to_issued_date': filter_until_time('issued_at'),
}
