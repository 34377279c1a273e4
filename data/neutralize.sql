-- A copied database must never speak to Ramp: it loses its credentials and its seat, and stays off until someone connects it.
-- What was for production is for the sandbox. A company that has a connection of the sandbox already keeps that one, and the other is archived:
-- two active ones of one address and entity are not allowed, and would stop the neutralization of the whole database.
UPDATE ramp_connection p
   SET active = FALSE
 WHERE p.active AND p.environment = 'production' AND EXISTS (
       SELECT FROM ramp_connection s
        WHERE s.active AND s.environment = 'sandbox' AND s.company_id = p.company_id
          AND COALESCE(s.api_url, '') = COALESCE(p.api_url, '') AND COALESCE(s.ramp_entity_id, '') = COALESCE(p.ramp_entity_id, ''));
UPDATE ramp_connection
   SET client_id = NULL, client_secret = NULL, verified_credentials = NULL, accounting_connection_id = NULL, database = NULL,
       state = 'disconnected', use_webhooks = FALSE,
       environment = CASE WHEN environment = 'production' THEN 'sandbox' ELSE environment END;
-- Sign-ins to Ramp, and what somebody has entered in the set-up assistant and not finished.
DELETE FROM ramp_setup;
DELETE FROM ramp_sign_in;
-- What Ramp tells is for the original.
DELETE FROM ramp_webhook;
UPDATE ir_cron
   SET active = FALSE
 WHERE id IN (SELECT res_id FROM ir_model_data WHERE module = 'ramp_connector' AND model = 'ir.cron');
