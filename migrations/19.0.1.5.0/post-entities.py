# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from psycopg2.extras import Json

LOOKED_AT = [
    'bill',
    'bill_payment',
    'cashback',
    'reimbursement',
    'reimbursement_payment',
    'repayment',
    'statement',
    'transaction',
    'transfer',
    'vendor',
    'vendor_credit',
]


def migrate(cr, version):
    """Objects of other Ramp entities lose their rows, but for what is booked: they are for other companies to see.

    Statements and vendor credits that were there before were booked so far, so that stays the choice of connections
    that have connected. What a nightly check looked at as a whole was looked at in every flow.
    """
    cr.execute("""
        DELETE FROM ramp_record r USING ramp_connection c
         WHERE c.id = r.connection_id AND c.ramp_entity_id <> '' AND r.ramp_entity_id <> lower(c.ramp_entity_id)
           AND r.res_id IS NULL AND r.remote_id IS NULL
    """)
    cr.execute("""
        UPDATE ramp_connection SET existing_policy = 'book', connected_at = create_date
         WHERE state <> 'draft' AND existing_policy IS NULL
    """)
    cr.execute(
        'UPDATE ramp_connection SET looked_at = %s WHERE last_watch IS NOT NULL AND looked_at IS NULL',
        [Json(LOOKED_AT)],
    )
