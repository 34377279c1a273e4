-- A copied database must never speak to Ramp: it loses its credentials and its seat, and stays off until someone connects it.
UPDATE ramp_connection
   SET client_id = NULL, client_secret = NULL, accounting_connection_id = NULL, database = NULL, state = 'disconnected', use_webhooks = FALSE,
       environment = CASE WHEN environment = 'production' THEN 'sandbox' ELSE environment END;
-- What Ramp tells is for the original.
DELETE FROM ramp_webhook;
UPDATE ir_cron
   SET active = FALSE
 WHERE id IN (SELECT res_id FROM ir_model_data WHERE module = 'ramp_connector' AND model = 'ir.cron');
