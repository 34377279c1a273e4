# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)


def migrate(cr, version):
    """Give each row on hold, and each ignored one, the kind of its reason, which was read from several columns before.

    This runs before the columns of the new version are created: the rows have to satisfy the constraint on the kind,
    and `is_question` is dropped at the end of the upgrade. A database of an earlier version lacks some of the columns.
    So they are read from the row as JSON, where a missing column is NULL.
    """
    cr.execute('ALTER TABLE ramp_record ADD COLUMN IF NOT EXISTS hold_reason varchar')
    cr.execute(
        """
        UPDATE ramp_record r
           SET hold_reason = CASE
                    WHEN r.state = 'ignored'
                    THEN CASE WHEN old.is_question OR old.row ->> 'remote_id' IS NOT NULL THEN 'rule' ELSE 'person' END
                    WHEN old.is_question
                    THEN CASE WHEN (old.row ->> 'is_withheld')::bool THEN 'elsewhere' ELSE 'question' END
                    WHEN r.late_payload IS NOT NULL THEN 'changed'
                    WHEN r.res_id IS NULL AND r.sync_attempt > 0 AND old.row ->> 'remote_id' IS NULL THEN 'deleted'
                    WHEN old.row ->> 'finding' IS NOT NULL THEN 'finding'
                    WHEN r.attempts > 0 THEN 'exhausted'
                    WHEN r.flow = 'purchase_order' AND (old.row ->> 'is_uncertain')::bool AND r.payload IS NOT NULL THEN 'archived'
                    WHEN old.row ->> 'remote_id' IS NOT NULL THEN 'refused'
                    -- nobody knows why: it waits for a person, as before
                    ELSE 'exhausted' END
          FROM (SELECT q.id, j.row, (j.row ->> 'is_question')::bool AS is_question
                  FROM ramp_record q, LATERAL (SELECT to_jsonb(q) - 'payload' - 'late_payload' AS row) j
                 WHERE q.state IN ('held', 'ignored') AND q.hold_reason IS NULL) old
         WHERE r.id = old.id
        """
    )
    # A row that is ignored again keeps a reason that begins with the same sentence, as it also names the reversal
    cr.execute(
        """
        UPDATE ramp_record SET error_message = replace(error_message, 'It was canceled in Ramp.', 'It was cancelled in Ramp.')
         WHERE flow = 'reimbursement' AND state = 'ignored' AND error_message LIKE 'It was canceled in Ramp.%'
        """
    )
    # A saved filter on a field that is gone cannot be opened
    cr.execute(
        "DELETE FROM ir_filters WHERE model_id = 'ramp.record' AND (domain LIKE '%is_question%' OR context LIKE '%is_question%')"
    )
